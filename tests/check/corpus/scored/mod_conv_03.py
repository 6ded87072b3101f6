import torch
from torch import nn


class UnfoldConv(nn.Module):
    def __init__(self, in_channels=2, out_channels=5, kernel_size=3, stride=2):
        super().__init__()
        self.k = kernel_size
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels * kernel_size ** 2))
        nn.init.kaiming_uniform_(self.weight)
        self.unfold = nn.Unfold(kernel_size, stride=stride)

    def forward(self, x):
        self.size = x.shape[-2:]
        self.cols = self.unfold(x)
        oh = (self.size[0] - self.k) // self.stride + 1
        return (self.weight @ self.cols).unflatten(-1, (oh, -1))

    @torch.no_grad()
    def backward(self, grad):
        grad = grad.flatten(2)
        self.weight.grad = torch.einsum("bol,bkl->ok", grad, self.cols)
        fold = nn.Fold(self.size, self.k, stride=self.stride)
        dcols = self.weight.t() @ grad
        divisor = fold(torch.ones_like(dcols))
        return fold(dcols) / divisor.clamp(min=1)
