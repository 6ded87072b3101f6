import torch


def forward(x):
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def backward(grad, x):
    return torch.nn.functional.avg_pool2d(grad, 2) * 4
