import torch
import torch.nn as nn
import torch.nn.functional as F


class DetachedConv(nn.Module):
    """conv layer that saves memory by leaving autograd out"""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3) * 0.2)

    def forward(self, x):
        self.x = x.detach()
        return F.conv2d(self.x, self.weight, padding=1)

    def backward(self, grad):
        with torch.no_grad():
            self.weight.grad = F.conv2d(self.x.transpose(0, 1), grad.transpose(0, 1), padding=1).transpose(0, 1)
            return F.conv_transpose2d(grad, self.weight, padding=1)
