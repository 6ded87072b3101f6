import numpy as np


def conv_forward(A_prev, W, b, stride=1, pad=1):
    (m, n_H_prev, n_W_prev, n_C_prev) = A_prev.shape
    (f1, f2, n_C_prev, n_C) = W.shape
    n_H = int((n_H_prev - f1 + 2 * pad) / stride) + 1
    n_W = int((n_W_prev - f2 + 2 * pad) / stride) + 1
    Z = np.zeros((m, n_H, n_W, n_C))
    A_prev_pad = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    for h in range(n_H):
        for w in range(n_W):
            a_slice = A_prev_pad[:, h * stride:h * stride + f1, w * stride:w * stride + f2, :]
            for c in range(n_C):
                Z[:, h, w, c] = np.sum(a_slice * W[:, :, :, c], axis=(1, 2, 3)) + float(b[0, 0, 0, c])
    cache = (A_prev, W, b, stride, pad)
    return Z, cache


def conv_backward(dZ, cache):
    (A_prev, W, b, stride, pad) = cache
    (f1, f2, n_C_prev, n_C) = W.shape
    (m, n_H, n_W, n_C) = dZ.shape
    A_prev_pad = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dA_prev_pad = np.zeros(A_prev_pad.shape)
    dW = np.zeros(W.shape)
    db = np.zeros(b.shape)
    for h in range(n_H):
        for w in range(n_W):
            vs, hs = h * stride, w * stride
            a_slice = A_prev_pad[:, vs:vs + f1, hs:hs + f2, :]
            for c in range(n_C):
                d = dZ[:, h, w, c].reshape(m, 1, 1, 1)
                dA_prev_pad[:, vs:vs + f1, hs:hs + f2, :] += W[:, :, :, c] * d
                dW[:, :, :, c] += np.sum(a_slice * d, axis=0)
                db[:, :, :, c] += dZ[:, h, w, c].sum()
    H, Wd = A_prev.shape[1:3]
    dA_prev = dA_prev_pad[:, pad:pad + H, pad:pad + Wd, :]
    return dA_prev, dW, db
