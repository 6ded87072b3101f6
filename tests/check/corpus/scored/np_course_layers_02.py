import numpy as np


def linear_forward(x, w):
    return x.dot(w.T), (x, w)


def linear_backward(dout, cache):
    x, w = cache
    return dout.dot(w), dout.T.dot(x)


def softmax_forward(x):
    z = np.exp(x - np.max(x, axis=-1, keepdims=True))
    out = z / np.sum(z, axis=-1, keepdims=True)
    return out, out


def softmax_backward(dout, cache):
    y = cache
    dot = np.sum(dout * y, axis=-1, keepdims=True)
    return y * (dot - dout)
