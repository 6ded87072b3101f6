import numpy as np


def get_im2col_indices(x_shape, field_height, field_width, padding=1, stride=1):
    N, C, H, W = x_shape
    out_height = (H + 2 * padding - field_height) // stride + 1
    out_width = (W + 2 * padding - field_width) // stride + 1
    i0 = np.repeat(np.arange(field_height), field_width)
    i0 = np.tile(i0, C)
    i1 = stride * np.repeat(np.arange(out_height), out_width)
    j0 = np.tile(np.arange(field_width), field_height * C)
    j1 = stride * np.tile(np.arange(out_width), out_height)
    rows = i0.reshape(-1, 1) + i1.reshape(1, -1)
    cols = j0.reshape(-1, 1) + j1.reshape(1, -1)
    chan = np.repeat(np.arange(C), field_height * field_width).reshape(-1, 1)
    return chan, rows, cols


def im2col(x, kh, kw, padding, stride):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k, i, j = get_im2col_indices(x.shape, kh, kw, padding, stride)
    cols = xp[:, k, i, j]                       # (N, C*kh*kw, L)
    return cols.transpose(1, 2, 0).reshape(kh * kw * x.shape[1], -1)


def col2im(cols, x_shape, kh, kw, padding, stride):
    N, C, H, W = x_shape
    xp = np.zeros((N, C, H + 2 * padding, W + 2 * padding), dtype=cols.dtype)
    k, i, j = get_im2col_indices(x_shape, kh, kw, padding, stride)
    cols = cols.reshape(C * kh * kw, -1, N).transpose(2, 0, 1)
    np.add.at(xp, (slice(None), k, i, j), cols)
    return xp[:, :, padding:padding + H, padding:padding + W]


def conv_forward(x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    F, _, kh, kw = w.shape
    x_cols = im2col(x, kh, kw, padding, stride)
    res = w.reshape(F, -1).dot(x_cols) + b.reshape(-1, 1)
    out_h = (H + 2 * padding - kh) // stride + 1
    out_w = (W + 2 * padding - kw) // stride + 1
    out = res.reshape(F, out_h, out_w, N).transpose(3, 0, 1, 2)
    return out, (x, w, b, stride, padding, x_cols)


def conv_backward(dout, cache):
    x, w, b, stride, padding, x_cols = cache
    F, _, kh, kw = w.shape
    db = np.sum(dout, axis=(0, 2, 3))
    dout_ = dout.transpose(1, 2, 3, 0).reshape(F, -1)
    dw = dout_.dot(x_cols.T).reshape(w.shape)
    dx_cols = w.reshape(F, -1).T.dot(dout_)
    dx = col2im(dx_cols, x.shape, kh, kw, padding, stride)
    return dx, dw, db
