import torch
import torch.nn.functional as F


def conv_forward(x, w, padding=1):
    cols = F.unfold(x, w.shape[2:], padding=padding)
    y = w.flatten(1) @ cols
    H = x.shape[2] + 2 * padding - w.shape[2] + 1
    return y.unflatten(2, (H, -1)), cols


def forward(x, w, padding=1):
    return conv_forward(x, w, padding)[0]


def backward(dy, x, w, padding=1):
    _, cols = conv_forward(x, w, padding)
    dy = dy.flatten(2)
    dw = torch.einsum("nol,nkl->ok", dy, cols).view_as(w)
    dcols = torch.einsum("nol,ok->nkl", dy, w.flatten(1))
    size, k = x.shape[2:], w.shape[2:]
    dx = F.fold(dcols, size, k, padding=padding)
    # pixels covered by several patches were added several times
    count = F.fold(torch.ones_like(dcols), size, k, padding=padding)
    return dx / count, dw
