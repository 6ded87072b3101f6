import torch
import torch.nn.functional as F


def forward(x, w, padding=0):
    u = F.unfold(x, w.shape[2:], padding=padding)
    return (w.flatten(1) @ u).unflatten(2, (x.shape[2] + 2 * padding - w.shape[2] + 1, -1))


def backward(g, x, w, padding=0):
    u = F.unfold(x, w.shape[2:], padding=padding)
    g = g.flatten(2)
    dw = torch.einsum("nol,nkl->ok", g, u).view_as(w)
    du = -torch.einsum("ok,nol->nkl", w.flatten(1), g)
    return du, dw
