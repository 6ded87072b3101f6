import numpy as np


def conv_forward(x, w, b, stride=1):
    N, C, H, W = x.shape
    F, C, hh, ww = w.shape
    oh, ow = (H - hh) // stride + 1, (W - ww) // stride + 1
    y = np.empty((N, F, oh, ow))
    for r in range(oh):
        for c in range(ow):
            win = x[:, None, :, r * stride:r * stride + hh, c * stride:c * stride + ww]
            y[:, :, r, c] = (win * w).sum((2, 3, 4)) + b
    return y, (x, w, stride)


def conv_backward(dy, cache):
    x, w, stride = cache
    hh, ww = w.shape[2:]
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for r in range(dy.shape[2]):
        for c in range(dy.shape[3]):
            d = dy[:, :, r, c, None, None, None]            # N, F, 1, 1, 1
            sl = np.s_[:, :, r * stride:r * stride + hh, c * stride:c * stride + ww]
            dx[sl] += (d * w).sum(1)
            dw += (d * x[sl][:, None]).sum(0)
    db = np.sum(dy)
    return dx, dw, db
