import numpy as np


def conv(x, w, b):
    kh, kw = w.shape[2:]
    H, W = x.shape[2] - kh + 1, x.shape[3] - kw + 1
    out = np.zeros((len(x), len(w), H, W)) + b.reshape(1, -1, 1, 1)
    for i in range(kh):
        for j in range(kw):
            out += np.tensordot(x[:, :, i:i + H, j:j + W], w[:, :, i, j], axes=([1], [1])).transpose(0, 3, 1, 2)
    return out


def forward(x, w, b):
    return conv(x, w, b)


def backward(dout, x, w, b):
    out = conv(x, w, b)
    kh, kw = w.shape[2:]
    H, W = out.shape[2:]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    db = out.sum(axis=(0, 2, 3))
    for i in range(kh):
        for j in range(kw):
            dw[:, :, i, j] = np.tensordot(out, x[:, :, i:i + H, j:j + W], axes=([0, 2, 3], [0, 2, 3]))
            dx[:, :, i:i + H, j:j + W] += np.tensordot(dout, w[:, :, i, j], axes=([1], [0])).transpose(0, 3, 1, 2)
    return dx, dw, db
