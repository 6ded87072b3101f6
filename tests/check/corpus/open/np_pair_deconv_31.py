import numpy as np
def forward(x, w):
    n, c, h, wd = x.shape
    _, o, k, _ = w.shape
    y = np.zeros((n, o, h+k-1, wd+k-1))
    for i in range(k):
        for j in range(k):
            y[:, :, i:i+h, j:j+wd] += np.einsum('nchw,co->nohw', x, w[:, :, i, j])
    return y
def backward(g, x, w):
    n, c, h, wd = x.shape
    k = w.shape[2]
    dx = np.zeros_like(x); dw = np.zeros_like(w)
    for i in range(k):
        for j in range(k):
            dx += np.einsum('nohw,co->nchw', g[:, :, i:i+h, j:j+wd], w[:, :, k-1-i, k-1-j])
            dw[:, :, i, j] = np.einsum('nohw,nchw->co', g[:, :, i:i+h, j:j+wd], x)
    return dx, dw
