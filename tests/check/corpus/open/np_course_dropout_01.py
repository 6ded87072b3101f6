import numpy as np

p_keep = 0.6


def dropout_forward(x):
    rng = np.random.RandomState(3)
    mask = rng.rand(*x.shape) < p_keep
    return x * mask / p_keep, mask


def dropout_backward(dout, cache):
    return dout * cache
