import numpy as np


class ReLU:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dvalues):
        d = dvalues.copy()
        d[d <= 0] = 0
        return d
