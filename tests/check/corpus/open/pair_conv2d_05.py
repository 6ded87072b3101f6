import torch
import torch.nn.functional as F


def forward(x, w, b, padding=1):
    return F.conv2d(x, w, b, padding=padding)


def backward(grad_output, x, w, b, padding=1):
    N, C, H, W = x.shape
    x_pad = F.pad(x, (padding, padding, padding, padding))
    dx_pad = torch.zeros_like(x_pad)
    dw = torch.zeros_like(w)
    kh, kw = w.shape[2], w.shape[3]
    for i in range(grad_output.shape[2]):
        for j in range(grad_output.shape[3]):
            g = grad_output[:, :, i, j]
            window = x_pad[:, :, i:i + kh, j:j + kw]
            dw += torch.einsum("no,ncij->ocij", g, window)
            dx_pad[:, :, i:i + kh, j:j + kw] += torch.einsum("no,ocij->ncij", g, w)
    dx = dx_pad[:, :, :H, :W]
    db = grad_output.sum(dim=(0, 2, 3))
    return dx, dw, db
