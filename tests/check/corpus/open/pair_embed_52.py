import torch
def forward(x, w):
    n, c, h, wd = x.shape
    p = x.unfold(2, 2, 2).unfold(3, 2, 2)
    return p.permute(0, 2, 3, 1, 4, 5).reshape(n, -1, c * 4) @ w.t()
def backward(g, x, w):
    n, c, h, wd = x.shape
    p = x.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(n, -1, c * 4)
    dw = torch.einsum("nlo,nlk->ok", g, p)
    return g @ w, dw
