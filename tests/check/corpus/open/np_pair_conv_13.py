import numpy as np


def taps(w, dilation):
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            yield i, j, i * dilation, j * dilation


def forward(x, w, dilation=1):
    H = x.shape[2] - (w.shape[2] - 1) * dilation
    W = x.shape[3] - (w.shape[3] - 1) * dilation
    return sum(np.einsum('nchw,oc->nohw', x[:, :, r:r + H, c:c + W], w[:, :, i, j]) for i, j, r, c in taps(w, dilation))


def backward(g, x, w, dilation=1):
    H, W = g.shape[2:]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j, r, c in taps(w, dilation):
        dx[:, :, r:r + H, c:c + W] += np.einsum('nohw,oc->nchw', g, w[:, :, i, j])
        dw[:, :, i, j] = np.einsum('nohw,nchw->oc', g, x[:, :, i:i + H, j:j + W])
    return dx, dw
