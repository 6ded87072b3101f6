import torch


def forward(x, v):
    return x @ (v / v.norm(dim=1, keepdim=True)).T


def backward(grad_output, x, v):
    norm = v.norm(dim=1, keepdim=True)
    u = v / norm
    dx = grad_output @ u
    du = grad_output.T @ x
    dv = (du - u * (u * du).sum(1, keepdim=True)) / norm
    return dx, dv
