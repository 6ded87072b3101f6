import numpy as np
class NormClip:
    def forward(self, x, w):
        self.x, self.w = x, w
        return x @ w
    def backward(self, g):
        n = np.linalg.norm(g)
        if n > 1: g = g / n
        return g @ self.w.T, self.x.T @ g
