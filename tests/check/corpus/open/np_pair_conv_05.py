import numpy as np


def forward(x, w, stride=1, dilation=1):
    kh, kw = w.shape[2:]
    oh = (x.shape[2] - dilation * (kh - 1) - 1) // stride + 1
    ow = (x.shape[3] - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((x.shape[0], w.shape[0], oh, ow))
    for a in range(kh):
        for b in range(kw):
            r, c = a * dilation, b * dilation
            y += np.einsum('nchw,oc->nohw', x[:, :, r:r + stride * oh:stride, c:c + stride * ow:stride], w[:, :, a, b])
    return y


def backward(dy, x, w, stride=1, dilation=1):
    kh, kw = w.shape[2:]
    oh, ow = dy.shape[2:]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for a in range(kh):
        for b in range(kw):
            r, c = a * dilation, b * dilation
            dw[:, :, a, b] = np.einsum('nohw,nchw->oc', dy, x[:, :, r:r + stride * oh:stride, c:c + stride * ow:stride])
    for p in range(oh):
        for q in range(ow):
            for a in range(kh):
                for b in range(kw):
                    h, v = p * dilation + a * stride, q * dilation + b * stride
                    if h < x.shape[2] and v < x.shape[3]:
                        dx[:, :, h, v] += dy[:, :, p, q] @ w[:, :, a, b]
    return dx, dw
