import torch
import torch.nn.functional as F


def forward(x, w, b, padding=1):
    return F.conv2d(x, w, b, padding=padding)


def backward(grad_output, x, w, b, padding=1):
    patches = F.pad(x, (padding,) * 4).unfold(2, w.shape[2], 1).unfold(3, w.shape[3], 1)
    dw = -torch.einsum("bchwij,bohw->coij", patches, grad_output)
    dx = torch.nn.grad.conv2d_input(x.shape, w, grad_output, padding=padding)
    db = grad_output.flatten(2).sum((0, 2))
    return dx, dw, db
