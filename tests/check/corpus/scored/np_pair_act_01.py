import numpy as np


def forward(x):
    return np.maximum(x, 0)


def backward(g, x):
    return g * (x >= 0)


def example_inputs():
    x = np.linspace(-1, 1, 15).reshape(3, 5)
    x[1, 2] = 0.0
    return x,
