import numpy as np
def tconv_forward(x, w):
    k = w.shape[0]
    cols = np.stack([x[:, i:x.shape[1] - k + 1 + i] for i in range(k)], axis=2)     # b t k c
    return np.tensordot(cols, w, axes=([2, 3], [0, 1])), (cols, w)
def tconv_backward(d, c):
    cols, w = c
    dcols = np.einsum("bto,kco->btkc", d, w)
    return dcols, np.einsum("btkc,bto->kco", cols, d)
