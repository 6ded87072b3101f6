import torch
import torch.nn as nn
import torch.nn.functional as F


class ManualConv2d(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 2, 3, 2))
        self.bias = nn.Parameter(torch.randn(4))

    def forward(self, x):
        self.saved = F.unfold(x, (3, 2)), x.shape
        out = self.weight.flatten(1) @ self.saved[0] + self.bias[:, None]
        return out.view(x.size(0), 4, x.size(2) - 2, x.size(3) - 1)

    def backward(self, grad_output):
        cols, shape = self.saved
        g = grad_output.flatten(2)
        with torch.no_grad():
            self.weight.grad = (g @ cols.mT).sum(0).view_as(self.weight)
            self.bias.grad = g.sum((0, 2))
            return F.fold(self.weight.flatten(1).T @ g, shape[2:], (3, 2))
