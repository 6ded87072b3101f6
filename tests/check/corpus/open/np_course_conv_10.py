import numpy as np


def conv_forward(x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    x_padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode='constant')
    H_out = (H + 2 * padding - HH) // stride + 1
    W_out = (W + 2 * padding - WW) // stride + 1
    out = np.zeros((N, F, H_out, W_out))
    for h in range(H_out):
        for v in range(W_out):
            window = x_padded[:, :, h * stride:h * stride + HH, v * stride:v * stride + WW]
            out[:, :, h, v] = window.reshape(N, -1) @ w.reshape(F, -1).T + b
    return out, (x_padded, w, b, stride, padding)


def conv_backward(dout, cache):
    x_padded, w, b, stride, padding = cache
    F, C, HH, WW = w.shape
    dx_padded = np.zeros_like(x_padded)
    dw = np.zeros_like(w)
    for h in range(dout.shape[2]):
        for v in range(dout.shape[3]):
            d = dout[:, :, h, v]
            r, c = slice(h * stride, h * stride + HH), slice(v * stride, v * stride + WW)
            dx_padded[:, :, r, c] += (d @ w.reshape(F, -1)).reshape(-1, C, HH, WW)
            dw += (d.T @ x_padded[:, :, r, c].reshape(len(d), -1)).reshape(w.shape)
    db = np.sum(dout, axis=(0, 2, 3))
    dx = dx_padded[:, :, padding:-padding, padding:-padding]
    return dx, dw, db
