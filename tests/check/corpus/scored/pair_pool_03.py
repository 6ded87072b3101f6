import torch


def forward(x):
    return x.mean(dim=(2, 3))


def backward(grad, x):
    n, c, h, w = x.shape
    for b in range(n):
        dx = torch.zeros_like(x)
        dx[b] = (grad[b] / (h * w)).view(c, 1, 1).expand(c, h, w)
    return dx
