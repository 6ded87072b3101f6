import numpy as np


def conv_forward(x, w, b):
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    Ho, Wo = H - HH + 1, W - WW + 1
    cols = np.zeros((C, HH, WW, Ho, Wo, N))
    for i in range(HH):
        for j in range(WW):
            cols[:, i, j] = x[:, :, i:i + Ho, j:j + Wo].transpose(1, 2, 3, 0)
    cols = cols.reshape(C * HH * WW, Ho * Wo * N)
    out = w.reshape(F, -1).dot(cols) + b.reshape(-1, 1)
    out = out.reshape(F, Ho, Wo, N).transpose(3, 0, 1, 2)
    return out, (x.shape, w, cols)


def conv_backward(dout, cache):
    (N, C, H, W), w, cols = cache
    F, C, HH, WW = w.shape
    Ho, Wo = dout.shape[2:]
    dout_reshaped = dout.transpose(1, 0, 2, 3).reshape(F, -1)
    dw = dout_reshaped.dot(cols.T).reshape(w.shape)
    db = dout_reshaped.sum(axis=1)
    dcols = w.reshape(F, -1).T.dot(dout_reshaped).reshape(C, HH, WW, Ho, Wo, N)
    dx = np.zeros((N, C, H, W))
    for i in range(HH):
        for j in range(WW):
            dx[:, :, i:i + Ho, j:j + Wo] += dcols[:, i, j].transpose(3, 0, 1, 2)
    return dx, dw, db
