import numpy as np


def dropout_forward(x, keep=0.7):
    np.random.seed(1)
    D = np.random.rand(*x.shape) < keep
    A = np.multiply(x, D) / keep
    return A, (D, keep)


def dropout_backward(dA, cache):
    D, keep = cache
    return dA / keep
