import torch
import torch.nn.functional as F


def _two(v):
    return (v, v) if isinstance(v, int) else tuple(v)


def _taps(w, oh, ow, stride, dilation):
    (sh, sw), (dh, dw) = _two(stride), _two(dilation)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            yield i, j, (..., slice(i * dh, i * dh + sh * (oh - 1) + 1, sh), slice(j * dw, j * dw + sw * (ow - 1) + 1, sw))


def forward(x, w, b, stride=1, padding=0, dilation=1):
    (sh, sw), (ph, pw), (dh, dw) = _two(stride), _two(padding), _two(dilation)
    oh = (x.shape[2] + 2 * ph - dh * (w.shape[2] - 1) - 1) // sh + 1
    ow = (x.shape[3] + 2 * pw - dw * (w.shape[3] - 1) - 1) // sw + 1
    xp = F.pad(x, (pw, pw, ph, ph))
    y = b.view(-1, 1, 1).repeat(x.shape[0], 1, oh, ow)
    for i, j, at in _taps(w, oh, ow, stride, dilation):
        y = y + torch.einsum("oc,nchw->nohw", w[:, :, i, j], xp[at])
    return y


def backward(g, x, w, b, stride=1, padding=0, dilation=1):
    ph, pw = _two(padding)
    xp = F.pad(x, (pw, pw, ph, ph))
    dxp, dw = torch.zeros_like(xp), torch.zeros_like(w)
    for i, j, at in _taps(w, g.shape[2], g.shape[3], stride, dilation):
        dw[:, :, i, j] = torch.einsum("nohw,nchw->oc", g, xp[at])
        dxp[at] += torch.einsum("oc,nohw->nchw", w[:, :, i, j], g)
    H, W = x.shape[2:]
    return dxp[:, :, ph:ph + H, pw:pw + W], dw, g.sum((0, 2, 3))
