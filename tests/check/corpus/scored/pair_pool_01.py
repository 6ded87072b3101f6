import torch
import torch.nn.functional as F


def forward(x, kernel_size=2, stride=2):
    return F.max_pool2d(x, kernel_size, stride)


def backward(grad_output, x, kernel_size=2, stride=2):
    out = forward(x, kernel_size, stride)
    dx = torch.zeros_like(x)
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            rows = slice(i * stride, i * stride + kernel_size)
            cols = slice(j * stride, j * stride + kernel_size)
            mask = x[:, :, rows, cols] == out[:, :, i:i + 1, j:j + 1]
            dx[:, :, rows, cols] += mask * grad_output[:, :, i:i + 1, j:j + 1]
    return dx
