import numpy as np


def dense_forward(x, w, b):
    a = 1.0 / (1.0 + np.exp(-(np.matmul(x, w) + b)))
    return a, (x, w, a)


def dense_backward(da, cache):
    x, w, a = cache
    dz = da * (a - a * a)
    return np.matmul(dz, w.T), np.matmul(x.T, dz), dz.sum(axis=0)
