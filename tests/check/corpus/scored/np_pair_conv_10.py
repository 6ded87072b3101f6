import numpy as np


def forward(x, w, stride=1):
    n, c, h, v = x.shape
    c, o, kh, kw = w.shape
    y = np.zeros((n, o, (h - 1) * stride + kh, (v - 1) * stride + kw))
    for i in range(h):
        for j in range(v):
            y[:, :, i * stride:i * stride + kh, j * stride:j * stride + kw] += np.tensordot(x[:, :, i, j], w, axes=1)
    return y


def backward(gy, x, w, stride=1):
    n, c, h, v = x.shape
    kh, kw = w.shape[2:]
    gx = np.zeros_like(x)
    for b in range(n):
        gw = np.zeros_like(w)
        for i in range(h):
            for j in range(v):
                patch = gy[b, :, i * stride:i * stride + kh, j * stride:j * stride + kw]
                gx[b, :, i, j] = np.tensordot(w, patch, axes=3)
                gw += np.multiply.outer(x[b, :, i, j], patch)
    return gx, gw
