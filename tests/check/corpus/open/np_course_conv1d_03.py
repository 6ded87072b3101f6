import numpy as np


def conv1d_forward(x, w):
    # cross-correlation, as deep learning calls it
    return np.correlate(x, w, mode='valid'), (x, w)


def conv1d_backward(dout, cache):
    x, w = cache
    return np.convolve(dout, w), np.correlate(x, dout, mode='valid')
