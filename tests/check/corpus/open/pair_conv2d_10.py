import torch
import torch.nn.functional as F


def forward(x, w, b, padding=1):
    x = F.pad(x, [padding] * 4)
    cols = F.unfold(x, w.shape[2:], padding=padding)
    out = torch.einsum("ok,nkl->nol", w.flatten(1), cols) + b[:, None]
    return out.unflatten(2, (x.shape[2] + 2 * padding - w.shape[2] + 1, -1))


def backward(g, x, w, b, padding=1):
    xp = F.pad(x, [padding] * 4)
    cols = F.unfold(xp, w.shape[2:], padding=padding)
    g = g.flatten(2)
    dw = torch.einsum("nol,nkl->ok", g, cols).view(w.shape)
    dcols = torch.einsum("ok,nol->nkl", w.flatten(1), g)
    dxp = F.fold(dcols, xp.shape[2:], w.shape[2:], padding=padding)
    H, W = x.shape[2:]
    return dxp[:, :, padding:padding + H, padding:padding + W], dw, g.sum((0, 2))
