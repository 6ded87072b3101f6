import torch


class Linear:
    def __init__(self, fan_in=5, fan_out=3):
        self.weight = torch.randn(fan_in, fan_out)
        self.bias = torch.zeros(fan_out)

    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, grad):
        bs = self.x.shape[0]
        self.grad_weight = self.x.t() @ grad * bs
        self.grad_bias = grad.sum(0)
        return grad @ self.weight.t()
