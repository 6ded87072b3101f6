import numpy as np
from numpy.lib.stride_tricks import sliding_window_view as windows


def forward(x, w, padding=0):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.einsum('nchwij,ocij->nohw', windows(xp, w.shape[2:], axis=(2, 3)), w)


def backward(g, x, w, padding=0):
    kh, kw = w.shape[2:]
    n = x.shape[0]
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dw = np.einsum('nohw,nchwij->ocij', g, windows(xp, (kh, kw), axis=(2, 3))) / n
    a, b = kh - 1 - padding, kw - 1 - padding
    gp = np.pad(g, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
    dx = np.einsum('nohwij,ocij->nchw', windows(gp, (kh, kw), axis=(2, 3)), w)
    dx = dx[:, :, padding:padding + x.shape[2], padding:padding + x.shape[3]]
    return dx, dw
