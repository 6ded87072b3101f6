import numpy as np
def film_forward(x, a, b):
    return a * x + b, (x, a)
def film_backward(g, c):
    x, a = c
    return a * g, (g * x).sum(axis=(0, 2)), g.sum(axis=(0, 1))
