import numpy as np


def im2col(x, kh, kw, s, p):
    N, C, H, W = x.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    oh, ow = (H + 2 * p - kh) // s + 1, (W + 2 * p - kw) // s + 1
    col = np.zeros((N, C, kh, kw, oh, ow))
    for i in range(kh):
        for j in range(kw):
            col[:, :, i, j] = xp[:, :, i:i + s * oh:s, j:j + s * ow:s]
    return col, oh, ow


def col2im(col, x_shape, s, p):
    N, C, H, W = x_shape
    _, _, kh, kw, oh, ow = col.shape
    xp = np.zeros((N, C, H + 2 * p + s - 1, W + 2 * p + s - 1))
    for i in range(kh):
        for j in range(kw):
            xp[:, :, i:i + s * oh:s, j:j + s * ow:s] += col[:, :, i, j]
    return xp[:, :, p:p + H, p:p + W]


def conv_forward(x, w, b, stride=1, padding=0):
    F, C, kh, kw = w.shape
    col, oh, ow = im2col(x, kh, kw, stride, padding)
    N = x.shape[0]
    col2d = col.transpose(1, 2, 3, 0, 4, 5).reshape(C * kh * kw, -1)
    out = (w.reshape(F, -1) @ col2d).reshape(F, N, oh, ow).transpose(1, 0, 2, 3) + b.reshape(1, -1, 1, 1)
    return out, (x, w, col2d, stride, padding)


def conv_backward(dout, cache):
    x, w, col2d, stride, padding = cache
    F, C, kh, kw = w.shape
    N, _, oh, ow = dout.shape
    d2d = dout.transpose(1, 0, 2, 3).reshape(F, -1)
    dw = (d2d @ col2d.T).reshape(w.shape)
    db = d2d.sum(axis=1)
    dcol = w.reshape(F, -1).T @ d2d
    dcol = dcol.reshape(N, C, kh, kw, oh, ow)
    return col2im(dcol, x.shape, stride, padding), dw, db
