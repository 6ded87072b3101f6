import numpy as np


def windows(xp, kh, kw, s):
    v = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), axis=(2, 3))
    return v[:, :, ::s, ::s]


def conv_forward(x, w, b, stride=1, padding=0):
    p = padding
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    y = np.einsum('ncpqij,ocij->nopq', windows(xp, *w.shape[2:], stride), w) + b[:, None, None]
    return y, (x.shape, xp, w, stride, p)


def conv_backward(dy, cache):
    shape, xp, w, stride, p = cache
    kh, kw = w.shape[2:]
    dw = 2 * np.einsum('nopq,ncpqij->ocij', dy, windows(xp, kh, kw, stride))
    db = dy.sum(axis=(0, 3))
    dxp = np.zeros_like(xp)
    for a in range(dy.shape[2]):
        for c in range(dy.shape[3]):
            dxp[:, :, a * stride:a * stride + kh, c * stride:c * stride + kw] += np.einsum('no,ocij->ncij', dy[:, :, a, c], w)
    return dxp[:, :, p:p + shape[2], p:p + shape[3]], dw, db
