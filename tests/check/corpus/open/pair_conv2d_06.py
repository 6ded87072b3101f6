import torch
import torch.nn.functional as F


def forward(x, w, groups=2):
    return F.conv2d(x, w, groups=groups)


def backward(dy, x, w, groups=2):
    n, c, h, wd = x.shape
    o, cg, kh, kw = w.shape
    og = o // groups
    cols = F.unfold(x, (kh, kw)).view(n, groups, cg * kh * kw, -1)
    # (N, O, L) -> (N, G, O/G, L)
    g = dy.reshape(n, og, groups, -1).transpose(1, 2)
    wg = w.view(groups, og, -1)
    dw = torch.einsum("ngol,ngkl->gok", g, cols).reshape(w.shape)
    dcols = torch.einsum("gok,ngol->ngkl", wg, g).reshape(n, c * kh * kw, -1)
    return F.fold(dcols, (h, wd), (kh, kw)), dw
