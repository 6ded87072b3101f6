import torch


class ValueMix:
    """mean attention: every token sees the average of all values"""

    def __init__(self):
        self.Wv = torch.randn(4, 5)

    def forward(self, x):
        self.x = x
        T = x.shape[1]
        self.A = torch.tril(torch.ones(T, T, dtype=x.dtype))
        self.A = self.A / self.A.sum(1, keepdim=True)
        return self.A @ (x @ self.Wv)

    def backward(self, g):
        dv = self.A.T @ g
        self.dWv = self.x.transpose(1, 2) @ dv
        return dv @ self.Wv.T
