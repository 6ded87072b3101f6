import torch


class TokenLinear:
    def __init__(self, d_in=5, d_out=3):
        self.weight = torch.randn(d_out, d_in)
        self.bias = torch.randn(d_out)

    def forward(self, x):
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, dy):
        self.dweight = torch.einsum("bto,bti->oi", dy, self.x)
        self.dbias = dy.sum(dim=(0, 2))
        return dy @ self.weight
