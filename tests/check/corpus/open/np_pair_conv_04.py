import numpy as np


def im2col(x, kh, kw, pad):
    xp = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    n, c, h, w = xp.shape
    oh, ow = h - kh + 1, w - kw + 1
    r = np.arange(kh)[:, None, None, None] + np.arange(oh)[None, None, :, None]
    q = np.arange(kw)[None, :, None, None] + np.arange(ow)[None, None, None, :]
    return xp[:, :, r, q].reshape(n, c * kh * kw, oh * ow), oh, ow


def forward(x, w, padding=1):
    cols, oh, ow = im2col(x, w.shape[2], w.shape[3], padding)
    return (w.reshape(w.shape[0], -1) @ cols).reshape(x.shape[0], w.shape[0], oh, ow)


def backward(grad_output, x, w, padding=1):
    cols, oh, ow = im2col(x, w.shape[2], w.shape[3], padding)
    g = grad_output.reshape(grad_output.shape[0], grad_output.shape[1], -1)
    grad_w = (g @ cols.transpose(0, 2, 1)).sum(0).reshape(w.shape)
    grad_x = w.reshape(w.shape[0], -1).T @ g
    return grad_x, grad_w
