import numpy as np
class AvgPool:
    ph, pw = 2, 3
    def forward(self, x):
        n, c, h, w = x.shape
        self.shape = x.shape
        return x.reshape(n, c, h // 2, 2, w // 3, 3).mean((3, 5))
    def backward(self, g):
        n, c, h, w = self.shape
        d = np.zeros(self.shape)
        for i in range(g.shape[2]):
            for j in range(g.shape[3]):
                d[:, :, i*self.pw:(i+1)*self.pw, j*self.ph:(j+1)*self.ph] += g[:, :, i, j, None, None] / 6
        return d
