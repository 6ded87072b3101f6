import numpy as np


def zero_pad(X, pad):
    return np.pad(X, ((0, 0), (0, 0), (pad, pad), (pad, pad)))


def conv_forward(A_prev, W, b, padding=0):
    m, C, H, Wd = A_prev.shape
    K, _, f, g = W.shape
    A_pad = zero_pad(A_prev, padding)
    nH, nW = H + 2 * padding - f + 1, Wd + 2 * padding - g + 1
    Z = np.zeros((m, K, nH, nW))
    for i in range(m):
        for h in range(nH):
            for w in range(nW):
                a_slice = A_pad[i, :, h:h + f, w:w + g]
                Z[i, :, h, w] = np.tensordot(W, a_slice, 3) + b
    return Z, (A_prev, W, b, padding)


def conv_backward(dZ, cache):
    A_prev, W, b, padding = cache
    m, C, H, Wd = A_prev.shape
    K, _, f, g = W.shape
    A_pad = zero_pad(A_prev, padding)
    dA_pad = np.zeros_like(A_pad)
    for i in range(m):
        dW = np.zeros_like(W)
        db = np.zeros_like(b)
        for h in range(dZ.shape[2]):
            for w in range(dZ.shape[3]):
                a_slice = A_pad[i, :, h:h + f, w:w + g]
                dz = dZ[i, :, h, w]
                dA_pad[i, :, h:h + f, w:w + g] += np.tensordot(dz, W, 1)
                dW += np.multiply.outer(dz, a_slice)
                db += dz
    dA_prev = dA_pad[:, :, padding:padding + H, padding:padding + Wd]
    return dA_prev, dW, db
