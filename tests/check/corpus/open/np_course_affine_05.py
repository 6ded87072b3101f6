import numpy as np


def affine_relu_forward(x, w, b):
    a = x.dot(w) + b
    out = np.maximum(0, a)
    return out, (x, w, a)


def affine_relu_backward(dout, cache):
    x, w, a = cache
    da = np.where(dout > 0, dout, 0)
    return da.dot(w.T), x.T.dot(da), da.sum(0)
