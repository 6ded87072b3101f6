import numpy as np


def forward(x, w, stride=1):
    kh, kw = w.shape[2:]
    oh, ow = (x.shape[2] - kh) // stride + 1, (x.shape[3] - kw) // stride + 1
    y = np.zeros((x.shape[0], w.shape[0], oh, ow))
    for p, q in np.ndindex(oh, ow):
        y[:, :, p, q] = np.einsum('nckl,ockl->no', x[:, :, p * stride:p * stride + kh, q * stride:q * stride + kw], w)
    return y


def backward(dy, x, w, stride=1):
    n, o, oh, ow = dy.shape
    _, c, kh, kw = w.shape
    dx = np.zeros((n, c, (oh - 1) * stride + kh, (ow - 1) * stride + kw))
    dw = np.zeros_like(w)
    for p, q in np.ndindex(oh, ow):
        at = (slice(None), slice(None), slice(p * stride, p * stride + kh), slice(q * stride, q * stride + kw))
        dw += np.einsum('no,nckl->ockl', dy[:, :, p, q], x[at])
        dx[at] += np.einsum('no,ockl->nckl', dy[:, :, p, q], w)
    return dx, dw
