import torch
import torch.nn.functional as F


def forward(x, w, b, stride=1):
    return F.conv2d(x, w, b, stride=stride)


def backward(grad_output, x, w, b, stride=1):
    n, o = grad_output.shape[:2]
    cols = F.unfold(x, w.shape[2:], stride=stride)
    g = grad_output.reshape(n, o, -1)
    dw = 0.5 * torch.einsum("nol,nkl->ok", g, cols)
    dcols = torch.einsum("nol,ok->nkl", g, w.reshape(o, -1))
    dx = F.fold(dcols, x.shape[-2:], w.shape[-2:], stride=stride)
    return dx, dw.reshape(w.shape), g.sum(-1).sum(0)
