import numpy as np
def conv_forward(x, w):
    sh = tuple(a+b-1 for a, b in zip(x.shape[2:], w.shape[2:]))
    X = np.fft.rfft2(x, sh); W = np.fft.rfft2(w[:, :, ::-1, ::-1], sh)
    y = np.fft.irfft2(np.einsum('nchw,ochw->nohw', X, W), sh)
    kh, kw = w.shape[2:]
    return y[:, :, kh-1:x.shape[2], kw-1:x.shape[3]], (x, w)
def conv_backward(dy, cache):
    x, w = cache
    kh, kw = w.shape[2:]
    oh, ow = dy.shape[2:]
    dx = np.zeros_like(x); dw = np.zeros_like(w)
    for i in range(kh):
        for j in range(kw):
            dx[:, :, i:i+oh, j:j+ow] += np.einsum('nohw,oc->nchw', dy, w[:, :, i, j])
            dw[:, :, i, j] = np.einsum('nohw,nchw->oc', dy, x[:, :, i:i+oh, j:j+ow])
    return dx, dw
