import numpy as np


def conv_forward(x, w, b, stride=1):
    N, C, H, W = x.shape
    F, _, kh, kw = w.shape
    Ho, Wo = 1 + (H - kh) // stride, 1 + (W - kw) // stride
    out = np.zeros((N, F, Ho, Wo))
    for n in range(N):
        for i in range(Ho):
            for j in range(Wo):
                region = x[n, :, i * stride:i * stride + kh, j * stride:j * stride + kw]
                out[n, :, i, j] = (region * w).sum(axis=(1, 2, 3)) + b
    return out, (x, w, b, stride)


def conv_backward(dout, cache):
    x, w, b, stride = cache
    N, F, Ho, Wo = dout.shape
    kh, kw = w.shape[2:]
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for i in range(Ho):
            for j in range(Wo):
                h0, w0 = i * stride, j * stride
                region = x[n, :, h0:h0 + kh, w0:w0 + kw]
                for f in range(F):
                    dw[f] += region
                    db[f] += dout[n, f, i, j]
                    dx[n, :, h0:h0 + kh, w0:w0 + kw] += dout[n, f, i, j] * w[f]
    return dx, dw, db
