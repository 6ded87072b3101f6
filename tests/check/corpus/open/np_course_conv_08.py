import numpy as np


def conv_forward(x, w, b, stride=1, padding=0):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kh, kw = w.shape[2:]
    win = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::stride, ::stride]
    out = np.einsum('nchwij,fcij->nfhw', win, w) + b.reshape(1, -1, 1, 1)
    return out, (x, xp, w, stride, padding)


def conv_backward(dout, cache):
    x, xp, w, stride, padding = cache
    kh, kw = w.shape[2:]
    oh, ow = dout.shape[2:]
    dw = np.zeros_like(w)
    dxp = np.zeros_like(xp)
    for i in range(kh):
        for j in range(kw):
            dw[:, :, i, j] = np.einsum('nfhw,nchw->fc', dout, xp[:, :, i:i + oh, j:j + ow])
            dxp[:, :, i:i + stride * oh:stride, j:j + stride * ow:stride] += np.einsum('nfhw,fc->nchw', dout, w[:, :, i, j])
    H, W = x.shape[2:]
    dx = dxp[:, :, padding:padding + H, padding:padding + W]
    return dx, dw, dout.sum(axis=(0, 2, 3))
