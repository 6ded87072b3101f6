import numpy as np


def forward(x, w):
    kh, kw = w.shape[2:]
    oh, ow = x.shape[2] - kh + 1, x.shape[3] - kw + 1
    y = 0
    for i in range(kh):
        for j in range(kw):
            y = y + np.einsum('nchw,oc->nohw', x[:, :, i:i + oh, j:j + ow], w[:, :, i, j])
    return y


def backward(dy, x, w):
    kh, kw = w.shape[2:]
    oh, ow = dy.shape[2:]
    dx = np.zeros_like(x)
    taps = []
    for j in range(kw):
        column = []
        for i in range(kh):
            column.append(np.einsum('nohw,nchw->oc', dy, x[:, :, i:i + oh, j:j + ow]))
            dx[:, :, i:i + oh, j:j + ow] += np.einsum('nohw,oc->nchw', dy, w[:, :, i, j])
        taps.append(column)
    dw = np.moveaxis(np.array(taps), (0, 1), (2, 3))
    return dx, dw
