import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def layer_forward(x, w, b):
    z = x @ w + b
    return sigmoid(z), (x, w, z)


def layer_backward(dout, cache):
    x, w, z = cache
    dz = dout * z * (1 - z)
    return dz @ w.T, x.T @ dz, dz.sum(axis=0)
