import numpy as np
def conv_forward(x, w, b):
    N, C, H, W = x.shape
    F, _, kh, kw = w.shape
    out = np.zeros((N, F, H-kh+1, W-kw+1))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = np.tensordot(x[:, :, i:i+kh, j:j+kw], w, axes=([1,2,3],[1,2,3])) + b
    return out, (x, w)
def conv_backward(dout, cache):
    x, w = cache
    N, F, oh, ow = dout.shape
    _, C, kh, kw = w.shape
    dx = np.zeros_like(x); dw = np.zeros_like(w)
    for i in range(kh):
        for j in range(kw):
            dw[:, :, i, j] = np.tensordot(dout, x[:, :, i:i+oh, j:j+ow], axes=([0,2,3],[0,2,3]))
            dx[:, :, i:i+oh, j:j+ow] = dx[:, :, i:i+oh, j:j+ow] + np.einsum('nfhw,fc->nchw', dout, w[:, :, kh-1-i, kw-1-j])
    return dx, dw, dout.sum((0,2,3))
