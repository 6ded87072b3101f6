import numpy as np


class LayerNorm:
    def __init__(self, d=5):
        self.gamma = np.linspace(0.5, 2, d)
        self.beta = np.zeros(d)

    def forward(self, x):
        c = x - x.mean(1, keepdims=True)
        self.s = np.sqrt((c ** 2).mean(1, keepdims=True) + 1e-6)
        self.h = c / self.s
        return self.gamma * self.h + self.beta

    def backward(self, dy):
        self.dgamma = (dy * self.h).sum(0)
        self.dbeta = dy.sum(0)
        d = dy * self.gamma
        return (d - self.h * (d * self.h).mean(1, keepdims=True)) / self.s
