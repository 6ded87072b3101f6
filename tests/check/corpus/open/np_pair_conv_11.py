import numpy as np


def forward(x, w, padding=1):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    win = np.lib.stride_tricks.sliding_window_view(xp, w.shape[2:], axis=(2, 3))
    return np.tensordot(win, w, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2)


def backward(dout, x, w, padding=1):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    win = np.lib.stride_tricks.sliding_window_view(xp, w.shape[2:], axis=(2, 3))
    dw = np.tensordot(win, dout, axes=([0, 2, 3], [0, 2, 3]))         # (C, kh, kw, O)
    dw = dw.transpose(0, 3, 1, 2)
    dxp = np.zeros_like(xp)
    oh, ow = dout.shape[2:]
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            dxp[:, :, i:i + oh, j:j + ow] += np.tensordot(dout, w[:, :, i, j], axes=([1], [0])).transpose(0, 3, 1, 2)
    H, W = x.shape[2:]
    return dxp[:, :, padding:padding + H, padding:padding + W], dw
