import numpy as np


def affine_forward(x, w, b):
    out = np.dot(x.reshape(len(x), -1), w) + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dx = np.dot(dout, w.T).reshape(x.shape)
    dw = np.dot(x.reshape(len(x), -1).T, dout)
    db = np.ones(len(dout)) @ dout
    return dx, dw, db
