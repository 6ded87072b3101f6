import numpy as np


def conv_forward(x, w, padding=1):
    N, C, H, W = x.shape
    O, _, kh, kw = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    out = np.zeros((N, O, H + 2 * padding - kh + 1, W + 2 * padding - kw + 1))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = np.einsum('ncab,ocab->no', xp[:, :, i:i + kh, j:j + kw], w)
    return out, (x, w, padding)


def conv_backward(dout, cache):
    x, w, padding = cache
    N, C, H, W = x.shape
    O, _, kh, kw = w.shape
    dw = np.zeros_like(w)
    dx = np.zeros_like(x)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            for a in range(kh):
                for b in range(kw):
                    if i + a < H and j + b < W:
                        dw[:, :, a, b] += dout[:, :, i, j].T @ x[:, :, i + a, j + b]
                    h, v = i + a - padding, j + b - padding
                    if 0 <= h < H and 0 <= v < W:
                        dx[:, :, h, v] += dout[:, :, i, j] @ w[:, :, a, b]
    return dx, dw
