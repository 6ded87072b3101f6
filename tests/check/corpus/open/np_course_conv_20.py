import numpy as np


def dilated_conv_forward(x, w, dilation=1):
    d = dilation
    kh, kw = w.shape[2:]
    oh = x.shape[2] - d * (kh - 1)
    ow = x.shape[3] - d * (kw - 1)
    out = np.zeros((x.shape[0], w.shape[0], oh, ow))
    for a in range(kh):
        for b in range(kw):
            out += np.einsum('nchw,oc->nohw', x[:, :, a * d:a * d + oh, b * d:b * d + ow], w[:, :, a, b])
    return out, (x, w, d)


def dilated_conv_backward(dout, cache):
    x, w, d = cache
    kh, kw = w.shape[2:]
    oh, ow = dout.shape[2:]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for a in range(kh):
        for b in range(kw):
            dw[:, :, a, b] = np.einsum('nchw,nohw->oc', x[:, :, a * d:a * d + oh, b * d:b * d + ow], dout)
            dx[:, :, a:a + oh, b:b + ow] += np.einsum('nohw,oc->nchw', dout, w[:, :, a, b])
    return dx, dw
