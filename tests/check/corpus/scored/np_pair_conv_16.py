import numpy as np


def forward(x, w, b):
    kh, kw = w.shape[2:]
    H, W = x.shape[2] - kh + 1, x.shape[3] - kw + 1
    out = np.tile(b[:, None, None], (len(x), 1, H, W))
    for i in range(kh):
        for j in range(kw):
            out += np.einsum('nchw,oc->nohw', x[:, :, i:i + H, j:j + W], w[:, :, i, j])
    return out


def backward(dout, x, w, b):
    kh, kw = w.shape[2:]
    H, W = dout.shape[2:]
    dw, dx = np.empty_like(w), np.zeros_like(x)
    for i in range(kh):
        for j in range(kw):
            part = x[:, :, i:i + H, j:j + W]
            dw[:, :, kh - 1 - i, kw - 1 - j] = np.einsum('nchw,nohw->oc', part, dout)
            dx[:, :, i:i + H, j:j + W] += np.einsum('nohw,oc->nchw', dout, w[:, :, i, j])
    return dx, dw, dout.sum(axis=(0, 2, 3))
