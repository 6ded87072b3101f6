import numpy as np


def relu_forward(x):
    mask = x <= 0
    out = x
    out[mask] = 0
    return out, mask


def relu_backward(dout, cache):
    mask = cache
    dx = dout.copy()
    dx[mask] = 0
    return dx
