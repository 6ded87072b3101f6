import numpy as np


def conv_forward(A_prev, W, b):
    m, H, Wd, C = A_prev.shape
    f1, f2, C, K = W.shape
    Z = np.zeros((m, H - f1 + 1, Wd - f2 + 1, K))
    for h in range(Z.shape[1]):
        for w in range(Z.shape[2]):
            Z[:, h, w, :] = np.tensordot(A_prev[:, h:h + f1, w:w + f2, :], W, axes=3) + b[0, 0, 0]
    return Z, (A_prev, W, b)


def conv_backward(dZ, cache):
    A_prev, W, b = cache
    m = dZ.shape[0]
    f1, f2, C, K = W.shape
    dA = np.zeros_like(A_prev)
    dW = np.zeros_like(W)
    db = np.zeros_like(b)
    for i in range(m):
        for h in range(dZ.shape[1]):
            for w in range(dZ.shape[2]):
                for c in range(K):
                    dA[i, h:h + f1, w:w + f2, :] += W[:, :, :, c] * dZ[i, h, w, c]
                    dW[:, :, :, c] += A_prev[i, h:h + f1, w:w + f2, :] * dZ[i, h, w, c]
                    db[:, :, :, c] += dZ[i, h, w, c]
    return dA, 1 / m * dW, 1 / m * db
