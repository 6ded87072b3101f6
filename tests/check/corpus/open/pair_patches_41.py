import torch
P = 2
def patchify(x):
    b, c, h, w = x.shape
    return x.reshape(b, c, h // P, P, w // P, P).permute(0, 2, 4, 1, 3, 5).reshape(b, (h // P) * (w // P), c * P * P)
def forward(x, w):
    return patchify(x) @ w
def backward(g, x, w):
    b, c, h, wd = x.shape
    d = g @ w.T
    dx = d.reshape(b, h // P, wd // P, c, P, P).permute(0, 3, 1, 2, 4, 5).reshape(b, c, h, wd)
    dw = torch.einsum("btk,bto->ko", patchify(x), g)
    return dx, dw
