import numpy as np


def conv_forward(x, w, b, padding=0):
    N, C, H, W = x.shape
    F, _, fh, fw = w.shape
    X = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), 'constant', constant_values=0)
    Hn, Wn = H + 2 * padding - fh + 1, W + 2 * padding - fw + 1
    Z = np.zeros((N, F, Hn, Wn))
    for f in range(F):
        for i in range(Hn):
            for j in range(Wn):
                Z[:, f, i, j] = np.sum(X[:, :, i:i + fh, j:j + fw] * w[f], axis=(1, 2, 3)) + b[f]
    return Z, (X, w)


def conv_backward(dZ, cache):
    X, w = cache
    F, _, fh, fw = w.shape
    dX = np.zeros(X.shape)
    dw = np.zeros(w.shape)
    db = np.zeros(F)
    for f in range(F):
        db[f] = dZ[:, f].sum()
        for i in range(dZ.shape[2]):
            for j in range(dZ.shape[3]):
                g = dZ[:, f, i, j].reshape(-1, 1, 1, 1)
                dX[:, :, i:i + fh, j:j + fw] += g * w[f]
                dw[f] += np.sum(g * X[:, :, i:i + fh, j:j + fw], axis=0)
    return dX, dw, db
