import torch
import torch.nn.functional as F


def im2col(x, k, padding):
    # (N, K, L) -> (K, N*L)
    u = F.unfold(x, k, padding=padding)
    return u.permute(1, 0, 2).reshape(u.shape[1], -1)


def forward(x, w, b, padding=1):
    n = x.shape[0]
    o = w.shape[0]
    oh = x.shape[2] + 2 * padding - w.shape[2] + 1
    ow = x.shape[3] + 2 * padding - w.shape[3] + 1
    y = w.reshape(o, -1) @ im2col(x, w.shape[2:], padding)
    y = y.reshape(o, n, oh, ow).permute(1, 0, 2, 3)
    return y + b.reshape(1, -1, 1, 1)


def backward(dy, x, w, b, padding=1):
    n, o = dy.shape[:2]
    dy2 = dy.reshape(o, -1)
    x_col = im2col(x, w.shape[2:], padding)
    dw = (dy2 @ x_col.T).reshape(w.shape)
    dx_col = w.reshape(o, -1).T @ dy2
    dx_col = dx_col.reshape(dx_col.shape[0], n, -1).permute(1, 0, 2)
    dx = F.fold(dx_col, x.shape[2:], w.shape[2:], padding=padding)
    db = dy.sum((0, 2, 3))
    return dx, dw, db
