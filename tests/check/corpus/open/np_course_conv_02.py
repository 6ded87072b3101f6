import numpy as np


def conv_forward(x, w, b, stride=1, padding=0):
    """
    Input: x (N, C, H, W), w (F, C, HH, WW), b (F,)
    """
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    xp = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    Ho = (H + 2 * padding - HH) // stride + 1
    Wo = (W + 2 * padding - WW) // stride + 1
    out = np.zeros((N, F, Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            patch = xp[:, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
            out[:, :, i, j] = np.tensordot(patch, w, axes=([1, 2, 3], [1, 2, 3])) + b
    return out, (x, xp, w, stride, padding)


def conv_backward(dout, cache):
    x, xp, w, stride, padding = cache
    F, C, HH, WW = w.shape
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            hs, he = i * stride, i * stride + HH
            ws, we = j * stride, j * stride + WW
            dxp[:, :, hs:he, ws:we] = np.tensordot(dout[:, :, i, j], w, axes=1)
            dw += np.tensordot(dout[:, :, i, j], xp[:, :, hs:he, ws:we], axes=([0], [0]))
    db = dout.sum(axis=(0, 2, 3))
    H, W = x.shape[2:]
    return dxp[:, :, padding:padding + H, padding:padding + W], dw, db
