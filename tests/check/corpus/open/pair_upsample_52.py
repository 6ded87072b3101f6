import torch
SH, SW = 2, 3
def forward(x):
    n, c, h, w = x.shape
    return x[:, :, :, None, :, None].expand(n, c, h, SH, w, SW).reshape(n, c, h * SH, w * SW)
def backward(g, x):
    n, c, h, w = x.shape
    return g.reshape(n, c, h, SW, w, SH).sum(dim=(3, 5))
