import torch
import torch.nn.functional as F
def forward(x, w):
    return F.conv2d(x, w, padding=1)
def backward(g, x, w):
    return F.conv2d(g, w, padding=1), torch.nn.grad.conv2d_weight(x, w.shape, g, padding=1)
