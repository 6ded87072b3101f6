import torch
import torch.nn.functional as F


def forward(x, w, b, padding=1):
    # convolution: rotate the kernel by 180 degrees, then slide
    w_rot = torch.flip(w, (2, 3))
    cols = F.unfold(x, w.shape[2:], padding=padding)
    y = w_rot.flatten(1) @ cols + b[:, None]
    return y.unflatten(-1, (x.shape[2] + 2 * padding - w.shape[2] + 1, -1))


def backward(g, x, w, b, padding=1):
    cols = F.unfold(x, w.shape[2:], padding=padding)
    g = g.flatten(2)
    dw = (g @ cols.mT).sum(0).view_as(w)
    dx = F.fold(w.flatten(1).T @ g, x.shape[2:], w.shape[2:], padding=padding)
    return dx, dw, g.sum((0, 2))
