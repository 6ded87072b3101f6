import torch
import torch.nn as nn


class BatchNorm2d(nn.Module):
    def __init__(self, c=3):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.5, 2.0, 1.5])[:c])
        self.bias = nn.Parameter(torch.zeros(c))
        self.register_buffer("running_mean", torch.zeros(c))

    def forward(self, x):
        d = (0, 2, 3)
        mean = x.mean(d, keepdim=True)
        var = x.var(d, unbiased=False, keepdim=True)
        self.inv = torch.rsqrt(var + 1e-5)
        self.xh = (x - mean) * self.inv
        return self.xh * self.weight[None, :, None, None] + self.bias[None, :, None, None]

    def backward(self, g):
        d = (0, 2, 3)
        with torch.no_grad():
            self.weight.grad = (g * self.xh).sum(d)
            self.bias.grad = g.sum(d)
            g = g * self.weight[None, :, None, None]
            return (g - g.mean(d, keepdim=True)) * self.inv
