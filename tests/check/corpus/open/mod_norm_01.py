import torch
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, d=5, eps=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(d) + 0.5)
        self.beta = nn.Parameter(torch.randn(d))
        self.eps = eps

    def forward(self, x):
        mu = x.mean(-1, keepdim=True)
        var = ((x - mu) ** 2).mean(-1, keepdim=True)
        self.rstd = (var + self.eps).rsqrt()
        self.xhat = (x - mu) * self.rstd
        return self.gamma * self.xhat + self.beta

    @torch.no_grad()
    def backward(self, dout):
        self.gamma.grad = (dout * self.xhat).sum((0, 1))
        self.beta.grad = dout.sum((0, 1))
        m1 = dout.mean(-1, keepdim=True)
        m2 = (dout * self.xhat).mean(-1, keepdim=True)
        return self.rstd * (dout - m1 - self.xhat * m2)
