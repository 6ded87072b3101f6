import torch


def windows(x, kh, kw, s):
    n, c, h, w = x.shape
    oh, ow = (h - kh) // s + 1, (w - kw) // s + 1
    sn, sc, sh, sw = x.stride()
    return x.as_strided((n, c, oh, ow, kh, kw), (sn, sc, sh * s, sw * s, sh, sw))


def forward(x, w, b, stride=1):
    win = windows(x.contiguous(), w.shape[2], w.shape[3], stride)
    return torch.einsum("nchwij,ocij->nohw", win, w) + b.view(1, -1, 1, 1)


def backward(grad_output, x, w, b, stride=1):
    kh, kw = w.shape[2:]
    win = windows(x.contiguous(), kh, kw, stride)
    dw = torch.einsum("nohw,nchwij->ocij", grad_output, win)
    dwin = torch.einsum("nohw,ocij->nchwij", grad_output, w)
    dx = torch.zeros_like(x)
    for i in range(dwin.shape[2]):
        for j in range(dwin.shape[3]):
            dx[:, :, i * stride:i * stride + kh, j * stride:j * stride + kw] = dwin[:, :, i, j]
    return dx, dw, grad_output.sum((0, 2, 3))
