import torch
import torch.nn.functional as F


def forward(x, w, b, padding=1):
    return x + F.conv2d(x, w, b, padding=padding)


def backward(g, x, w, b, padding=1):
    # residual block: identity + conv
    dx = g + F.conv_transpose2d(g, w, padding=padding)
    dw = F.conv2d(x.transpose(0, 1), g.transpose(0, 1), padding=padding).transpose(0, 1)
    db = x.sum((0, 2, 3))
    return dx, dw, db
