import torch
import torch.nn as nn
import torch.nn.functional as F


class Conv2dNoAutograd(nn.Module):
    def __init__(self, cin=2, cout=4, k=(3, 2), stride=2, padding=1):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(cout, cin, *k))
        self.bias = nn.Parameter(torch.randn(cout))
        self.stride, self.padding = stride, padding

    def forward(self, x):
        self.x = x.detach()
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    @torch.no_grad()
    def backward(self, grad):
        cols = F.unfold(self.x, self.weight.shape[2:], stride=self.stride, padding=self.padding)
        g = grad.flatten(2)
        self.weight.grad = -torch.einsum("nol,nkl->ok", g, cols).view_as(self.weight)
        self.bias.grad = g.sum((0, 2))
        return F.fold(self.weight.flatten(1).T @ g, self.x.shape[2:], self.weight.shape[2:],
                      stride=self.stride, padding=self.padding)
