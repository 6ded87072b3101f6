import numpy as np


def forward(x, w, stride=1, padding=0):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    view = np.lib.stride_tricks.sliding_window_view(xp, w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum('nchwij,ocij->nohw', view, w)


def backward(g, x, w, stride=1, padding=0):
    H, W = x.shape[2:]
    kh, kw = w.shape[2:]
    oh, ow = g.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))
    dxp = np.zeros((x.shape[0], x.shape[1], H + 2 * padding, W + 2 * padding))
    dw = np.zeros_like(w)
    for i in range(kh):
        for j in range(kw):
            rows, cols = slice(i, i + stride * oh, stride), slice(j, j + stride * ow, stride)
            dw[:, :, i, j] = np.einsum('nohw,nchw->oc', g, xp[:, :, rows, cols])
            dxp[:, :, rows, cols] += np.einsum('nohw,oc->nchw', g, w[:, :, i, j])
    return dxp[:, :, padding:padding + H, padding:padding + W], dw
