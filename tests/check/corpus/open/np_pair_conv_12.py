import numpy as np


def patches(x, kh, kw):
    return np.stack([
        np.stack([x[:, i:x.shape[1] - kh + 1 + i, j:x.shape[2] - kw + 1 + j] for j in range(kw)], axis=-2)
        for i in range(kh)
    ], axis=-3)                         # n h w kh kw c


def forward(x, w):
    return np.einsum('nhwijc,ijco->nhwo', patches(x, *w.shape[:2]), w)


def backward(g, x, w):
    kh, kw = w.shape[:2]
    dw = np.einsum('nhwo,nhwijc->nijco', g, patches(x, kh, kw))
    gp = np.pad(g, ((0, 0), (kh - 1,) * 2, (kw - 1,) * 2, (0, 0)))
    dx = np.einsum('nhwijo,ijco->nhwc', patches(gp, kh, kw), w[::-1, ::-1])
    return dx, dw
