import numpy as np


class Embedding:
    def __init__(self):
        self.W = np.random.randn(9, 3)
        self.dW = np.zeros_like(self.W)

    def forward(self, idx):
        self.idx = idx
        return self.W[idx]

    def backward(self, dout):
        self.dW[...] = 0
        self.dW[self.idx] = dout
        return None


def example_inputs():
    return np.array([2, 7, 2, 0, 5, 2, 7, 8]),
