import numpy as np


def _indices(C, kh, kw, oh, ow):
    c = np.repeat(np.arange(C), kh * kw)
    i = np.tile(np.repeat(np.arange(kh), kw), C)
    j = np.tile(np.arange(kw), kh * C)
    p = np.repeat(np.arange(oh), ow)
    q = np.tile(np.arange(ow), oh)
    return c[:, None], i[:, None] + p[None], j[:, None] + q[None]


def conv_forward(x, w, b, padding=0):
    N, C, H, W = x.shape
    F, _, kh, kw = w.shape
    oh, ow = H + 2 * padding - kh + 1, W + 2 * padding - kw + 1
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    idx = _indices(C, kh, kw, oh, ow)
    cols = xp[(slice(None), *idx)].transpose(1, 2, 0).reshape(C * kh * kw, -1)
    out = (w.reshape(F, -1) @ cols + b[:, None]).reshape(F, oh, ow, N).transpose(3, 0, 1, 2)
    return out, (x.shape, w, cols, idx, padding)


def conv_backward(dout, cache):
    (N, C, H, W), w, cols, idx, padding = cache
    F, _, kh, kw = w.shape
    dout_flat = dout.reshape(F, -1)
    dw = (dout_flat @ cols.T).reshape(w.shape)
    dcols = (w.reshape(F, -1).T @ dout_flat).reshape(C * kh * kw, -1, N).transpose(2, 0, 1)
    dxp = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    np.add.at(dxp, (slice(None), *idx), dcols)
    db = dout.sum((0, 2, 3))
    return dxp[:, :, padding:padding + H, padding:padding + W], dw, db
