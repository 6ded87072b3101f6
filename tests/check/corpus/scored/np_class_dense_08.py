import numpy as np


class Linear:
    def __init__(self):
        self.W = np.random.randn(3, 4)
        self.b = np.random.randn(3)

    def forward(self, x):
        self.x = x
        return np.array([self.W @ row + self.b for row in x])

    def backward(self, grad):
        self.dW = np.array([np.outer(g, row) for g, row in zip(grad, self.x)])
        self.db = np.sum(grad, axis=0)
        return np.array([self.W.T @ g for g in grad])
