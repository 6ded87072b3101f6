import torch


def forward(x):
    return x - torch.logsumexp(x, dim=1, keepdim=True)


def backward(grad_output, x):
    p = torch.softmax(x, dim=1)
    g = torch.ones_like(grad_output)
    return g - p * g.sum(dim=1, keepdim=True)
