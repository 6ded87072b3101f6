import numpy as np
def forward(x, w):
    n, c, h, ww = x.shape
    _, o, kh, kw = w.shape
    y = np.zeros((n, o, h + kh - 1, ww + kw - 1))
    for i in range(h):
        for j in range(ww):
            y[:, :, i:i+kh, j:j+kw] += np.einsum('nc,cokl->nokl', x[:, :, i, j], w)
    return y
def backward(g, x, w):
    kh, kw = w.shape[2:]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            blk = g[:, :, i:i+kh, j:j+kw]
            dx[:, :, i, j] = np.einsum('nokl,cokl->nc', blk, w)
            dw = np.einsum('nokl,nc->cokl', blk, x[:, :, i, j])
    return dx, dw
