import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def conv_forward(x, w, b):
    win = sliding_window_view(x, w.shape[2:], axis=(2, 3))
    out = np.tensordot(win, w, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2) + b[:, None, None]
    return out, (x, w, b)


def conv_backward(dout, cache):
    x, w, b = cache
    kh, kw = w.shape[2:]
    win = sliding_window_view(x, (kh, kw), axis=(2, 3))
    dw = np.tensordot(dout, win, axes=([0, 2, 3], [0, 2, 3]))
    db = dout.sum((0, 2, 3))
    dpad = np.pad(dout, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
    dwin = sliding_window_view(dpad, (kh, kw), axis=(2, 3))
    dx = np.tensordot(dwin, w[:, :, ::-1, ::-1], axes=([1, 4, 5], [0, 2, 3])).transpose(0, 3, 1, 2)
    return dx, db, dw
