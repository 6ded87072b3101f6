import numpy as np


def col_indices(x_shape, kh, kw, stride):
    N, C, H, W = x_shape
    oh, ow = (H - kh) // stride + 1, (W - kw) // stride + 1
    k = np.repeat(np.arange(C), kh * kw).reshape(-1, 1)
    i0 = np.tile(np.repeat(np.arange(kh), kw), C)
    j0 = np.tile(np.tile(np.arange(kw), kh), C)
    i1 = stride * np.repeat(np.arange(oh), ow)
    j1 = stride * np.tile(np.arange(ow), oh)
    return k, i0[:, None] + i1, j0[:, None] + j1, oh, ow


def conv_forward(X, W, b, stride=1, padding=0):
    Xp = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k, i, j, oh, ow = col_indices(Xp.shape, W.shape[2], W.shape[3], stride)
    cols = Xp[:, k, i, j]
    out = np.einsum('fk,nkl->nfl', W.reshape(len(W), -1), cols) + b[:, None]
    return out.reshape(len(X), len(W), oh, ow), (X, W, Xp, cols, (k, i, j), padding)


def conv_backward(dout, cache):
    X, W, Xp, cols, (k, i, j), padding = cache
    d = dout.reshape(dout.shape[0], dout.shape[1], -1)
    dW = np.einsum('nfl,nkl->fk', d, cols).reshape(W.shape)
    dcols = np.einsum('fk,nfl->nkl', W.reshape(len(W), -1), d)
    dXp = np.zeros_like(Xp)
    dXp[:, k, i, j] += dcols
    H, Wd = X.shape[2:]
    return dXp[:, :, padding:padding + H, padding:padding + Wd], dW, d.sum((0, 2))
