import numpy as np
class Step:
    """residual recurrent step: h' = h + tanh([x,h]W)"""
    def forward(self, x, h, W):
        self.c = np.concatenate([x, h], 1)
        self.W, self.d = W, x.shape[1]
        self.t = np.tanh(self.c @ W)
        return h + self.t
    def backward(self, g):
        dz = g * (1 - self.t)**2
        dc = dz @ self.W.T
        return dc[:, :self.d], dc[:, self.d:] + g, self.c.T @ dz
