import numpy as np
class Maxout2:
    def forward(self, x, W, b):
        self.x, self.W = x, W
        z = (x @ W + b).reshape(len(x), -1, 2)
        self.i = z.argmax(-1)
        return z.max(-1)
    def backward(self, g):
        dz = np.zeros((*g.shape, 2))
        np.put_along_axis(dz, self.i[..., None], g[..., None], -1)
        dz = dz.reshape(len(g), -1)
        return dz @ self.W.T, self.x.T @ dz, dz.sum(0)
