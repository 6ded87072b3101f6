import numpy as np


def conv1d_forward(x, w, b, padding=0):
    N, C, L = x.shape
    F, _, K = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding)))
    out = np.zeros((N, F, L + 2 * padding - K + 1))
    for t in range(out.shape[2]):
        out[:, :, t] = np.tensordot(xp[:, :, t:t + K], w, ((1, 2), (1, 2))) + b
    return out, (x, w, padding)


def conv1d_backward(dout, cache):
    x, w, padding = cache
    L, K = x.shape[2], w.shape[2]
    dxp = np.zeros((x.shape[0], x.shape[1], L + 2 * padding))
    dw = np.zeros_like(w)
    for t in range(dout.shape[2]):
        d = dout[:, :, t]
        dxp[:, :, t:t + K] += np.tensordot(d, w, 1)
        for k in range(K):
            if t + k < L:
                dw[:, :, k] += d.T @ x[:, :, t + k]
    return dxp[:, :, padding:padding + L], dw, dout.sum(axis=(0, 2))
