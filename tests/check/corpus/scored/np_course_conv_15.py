import numpy as np


def conv_forward(x, w):
    N, C, H, W = x.shape
    F, _, kh, kw = w.shape
    out = np.zeros((N, F, H - kh + 1, W - kw + 1))
    for i in range(H - kh + 1):
        for j in range(W - kw + 1):
            out[:, :, i, j] = np.einsum('nckl,fckl->nf', x[:, :, i:i + kh, j:j + kw], w)
    return out, (x, w)


def conv_backward(dout, cache):
    x, w = cache
    N, C, H, W = x.shape
    kh, kw = w.shape[2:]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(H - kh):
        for j in range(W - kw + 1):
            dw += np.einsum('nf,nckl->fckl', dout[:, :, i, j], x[:, :, i:i + kh, j:j + kw])
            dx[:, :, i:i + kh, j:j + kw] += np.einsum('nf,fckl->nckl', dout[:, :, i, j], w)
    return dx, dw
