import numpy as np


def forward(x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    O, _, kh, kw = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    out = np.zeros((N, O, (H + 2 * padding - kh) // stride + 1, (W + 2 * padding - kw) // stride + 1))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = np.einsum('nckl,ockl->no', xp[:, :, i * stride:i * stride + kh, j * stride:j * stride + kw], w) + b
    return out


def backward(g, x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    O, _, kh, kw = w.shape
    oh, ow = g.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    for a in range(kh):
        for c in range(kw):
            dw[:, :, a, c] = np.einsum('nohw,nchw->oc', g, xp[:, :, a:a + stride * oh:stride, c:c + stride * ow:stride])
    for h in range(H):
        for v in range(W):
            for a in range(kh):
                for c in range(kw):
                    i, ri = divmod(h + padding - a, stride)
                    j, rj = divmod(v + padding - c, stride)
                    if ri == 0 and rj == 0 and 0 <= i < oh and 0 <= j < ow:
                        dx[:, :, h, v] += g[:, :, i, j] @ w[:, :, a, c]
    return dx, dw, g.sum((0, 2, 3))
