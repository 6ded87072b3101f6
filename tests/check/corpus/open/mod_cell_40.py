import torch, torch.nn as nn
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.Wx = nn.Parameter(torch.randn(3, 5) * 0.5)
        self.Wh = nn.Parameter(torch.randn(5, 5) * 0.5)
        self.b = nn.Parameter(torch.randn(5) * 0.1)
    def forward(self, x):
        self.x = x
        self.h1 = torch.tanh(x @ self.Wx + self.b)
        self.h2 = torch.tanh(x @ self.Wx + self.h1 @ self.Wh + self.b)
        return self.h2
    def backward(self, g):
        d2 = g * (1 - self.h2 ** 2)
        d1 = d2 @ self.Wh.T * (1 - self.h2 ** 2)
        self.Wh.grad = self.h1.T @ d2
        self.Wx.grad = self.x.T @ (d1 + d2)
        self.b.grad = (d1 + d2).sum(0)
        return (d1 + d2) @ self.Wx.T
