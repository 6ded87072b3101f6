import numpy as np
class SimpleRNNStep:
    def forward(self, x, Wx, Wh, b):
        h0 = np.full((x.shape[0], Wh.shape[0]), 0.1)
        h1 = np.tanh(x @ Wx + h0 @ Wh + b)
        h2 = np.tanh(x @ Wx + h1 @ Wh + b)
        self.c = x, Wx, Wh, h0, h1, h2
        return h2
    def backward(self, g):
        x, Wx, Wh, h0, h1, h2 = self.c
        d2 = g * (1 - h2)
        d1 = (d2 @ Wh.T) * (1 - h1)
        return (d1 + d2) @ Wx.T, x.T @ (d1 + d2), h0.T @ d1 + h1.T @ d2, (d1 + d2).sum(0)
