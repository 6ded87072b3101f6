import torch
import torch.nn as nn
import torch.nn.functional as F


class DepthwiseConv(nn.Module):
    def __init__(self, channels=4, multiplier=2, k=3):
        super().__init__()
        self.c, self.m = channels, multiplier
        self.weight = nn.Parameter(torch.randn(channels * multiplier, 1, k, k))

    def forward(self, x):
        self.x = x
        return F.conv2d(x, self.weight, groups=self.c)

    @torch.no_grad()
    def backward(self, grad):
        n, _, oh, ow = grad.shape
        k = self.weight.shape[-1]
        g = grad.reshape(n, self.m, self.c, oh, ow)
        w = self.weight.view(self.m, self.c, k, k)
        dx = torch.zeros_like(self.x)
        dw = torch.zeros_like(w)
        for i in range(k):
            for j in range(k):
                patch = self.x[:, :, i:i + oh, j:j + ow]
                dw[:, :, i, j] = torch.einsum("nmchw,nchw->mc", g, patch)
                dx[:, :, i:i + oh, j:j + ow] += torch.einsum("nmchw,mc->nchw", g, w[:, :, i, j])
        self.weight.grad = dw.reshape(self.weight.shape)
        return dx
