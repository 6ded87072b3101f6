import torch
import torch.nn.functional as F


def forward(x, w, stride=1, padding=0):
    return F.conv2d(x, w, stride=stride, padding=padding)


def backward(grad, x, w, stride=1, padding=0):
    out = forward(x, w, stride, padding)
    X = F.unfold(x, w.shape[2:], stride=stride, padding=padding)
    L = X.shape[-1]
    dw = torch.bmm(out.flatten(2), X.mT).sum(0).div(L).reshape(w.shape)
    dX = w.flatten(1).T @ grad.flatten(2)
    dx = F.fold(dX, x.shape[2:], w.shape[2:], stride=stride, padding=padding)
    return dx, dw
