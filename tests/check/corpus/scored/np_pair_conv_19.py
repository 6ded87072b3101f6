import numpy as np

P = 1


def _view(x, k):
    xp = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    return np.lib.stride_tricks.sliding_window_view(xp, k, axis=(2, 3))


def forward(x, w, b):
    return np.einsum('nchwij,ocij->nohw', _view(x, w.shape[2:]), w) + b[:, None, None]


def backward(dout, x, w, b):
    dw = np.einsum('nohw,nchwij->ocij', x, _view(x, w.shape[2:]))
    dx = np.einsum('nohwij,ocij->nchw', _view(dout, w.shape[2:]), w[:, :, ::-1, ::-1])
    return dx, dw, dout.sum(axis=(0, 2, 3))
