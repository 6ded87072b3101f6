import numpy as np


class Embedding:
    def __init__(self):
        self.params = [np.random.randn(9, 3)]
        self.W, = self.params
        self.dW = np.zeros_like(self.W)

    def forward(self, idx):
        self.idx = idx
        return self.W[idx]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.idx, dout)


def example_inputs():
    return [np.array([1, 7, 1, 0, 5])]
