import numpy as np
K = 3
class SumPool:
    def forward(self, x):
        self.L = x.shape[2]
        return np.lib.stride_tricks.sliding_window_view(x, K, 2).sum(-1)
    def backward(self, g):
        dx = np.zeros((g.shape[0], g.shape[1], self.L)); n = np.zeros(self.L)
        for t in range(g.shape[2]):
            dx[:, :, t:t + K] += g[:, :, t:t + 1]; n[t:t + K] += 1
        return dx / n
