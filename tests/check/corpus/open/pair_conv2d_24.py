import torch
import torch.nn.functional as F


def forward(x, w, padding=0):
    return F.conv2d(x, w, padding=padding)


def backward(grad_output, x, w, padding=0):
    n, c, h, wd = x.shape
    kh, kw = w.shape[2:]
    xp = F.pad(x, (padding,) * 4)
    dx = torch.zeros(n, c, h + 2 * padding, wd + 2 * padding)
    dw = torch.zeros(w.shape)
    for i in range(grad_output.shape[2]):
        for j in range(grad_output.shape[3]):
            g = grad_output[:, :, i, j]
            dx[:, :, i:i + kh, j:j + kw] += torch.tensordot(g, w, dims=1)
            dw += torch.tensordot(g.T, xp[:, :, i:i + kh, j:j + kw], dims=1)
    return dx[:, :, padding:padding + h, padding:padding + wd], dw
