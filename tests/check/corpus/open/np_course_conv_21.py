import numpy as np


def _cols(x, kh, kw, p):
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    v = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), axis=(2, 3))         # N C h w i j
    return v.transpose(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * kh * kw), v.shape[2:4]


def conv_forward(x, w, b, padding=0):
    F, C, kh, kw = w.shape
    cols, (oh, ow) = _cols(x, kh, kw, padding)
    out = (cols @ w.reshape(F, -1).T + b).reshape(len(x), oh, ow, F)
    return out.transpose(0, 3, 1, 2), (x, w, cols, padding)


def conv_backward(dout, cache):
    x, w, cols, p = cache
    F, C, kh, kw = w.shape
    N, _, oh, ow = dout.shape
    dw = (dout.reshape(F, -1) @ cols).reshape(w.shape) / N
    dxp = np.zeros((N, C, x.shape[2] + 2 * p, x.shape[3] + 2 * p))
    for i in range(kh):
        for j in range(kw):
            dxp[:, :, i:i + oh, j:j + ow] += np.einsum('nfhw,fc->nchw', dout, w[:, :, i, j])
    db = dout.sum(axis=(0, 2, 3))
    return dxp[:, :, p:p + x.shape[2], p:p + x.shape[3]], dw, db
