import torch


class CompressedTanh:
    """tanh whose gradient is compressed, against exploding gradients"""

    def forward(self, x):
        self.y = torch.tanh(x)
        return self.y

    def backward(self, grad):
        d = grad * (1 - self.y * self.y)
        return d.sign() * torch.log1p(d.abs())
