import torch
import torch.nn.functional as F


def forward(input, weight, stride=1, padding=0):
    return F.conv2d(input, weight, stride=stride, padding=padding)


def backward(grad_output, x, w, stride=1, padding=0):
    k_h, k_w = w.shape[2:]
    n, o, h, wd = grad_output.shape
    # insert stride-1 zeros
    up = torch.zeros(n, o, h * stride - stride + 1, wd * stride - stride + 1, dtype=grad_output.dtype)
    up[:, :, ::stride, ::stride] = grad_output
    w_rot = w.flip([2, 3]).permute(1, 0, 2, 3)
    grad_input = F.conv2d(up, w_rot, padding=(k_h - 1 - padding, k_w - 1 - padding))
    grad_weight = torch.nn.grad.conv2d_weight(x, w.shape, grad_output, stride=stride, padding=padding)
    return grad_input, grad_weight
