import torch
import torch.nn.functional as F


def forward(x, w, b):
    L = x.size(2) - w.size(2) + 1
    return b[:, None] + sum(torch.einsum("oc,ncl->nol", w[:, :, i], x[:, :, i:i + L]) for i in range(w.size(2)))


def backward(dy, x, w, b):
    k = w.size(2)
    L = dy.size(2)
    dy_pad = F.pad(dy, (k - 1, k - 1))
    n = x.size(2)
    dx = sum(torch.einsum("oc,nol->ncl", w[:, :, i], dy_pad[:, :, i:i + n]) for i in range(k))
    dw = torch.stack([torch.einsum("nol,ncl->oc", dy, x[:, :, i:i + L]) for i in range(k)], dim=-1)
    return dx, dw, dy.sum((0, 2))
