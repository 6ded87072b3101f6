import numpy as np


class Sigmoid:
    def forward(self, x):
        self.out = np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), 1 - 1 / (1 + np.exp(-np.abs(x))))
        return self.out

    def backward(self, dout):
        return dout * (1.0 - self.out) * self.out
