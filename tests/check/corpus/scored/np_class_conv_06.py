import numpy as np


class ConvLayer:
    def __init__(self):
        self.weights = np.random.normal(size=(5, 3, 2, 3))
        self.bias = np.random.normal(size=5)

    def forward(self, x):
        F, C, kh, kw = self.weights.shape
        self.x = x
        N, _, H, W = x.shape
        self.oh, self.ow = H - kh + 1, W - kw + 1
        rows = []
        for i in range(self.oh):
            for j in range(self.ow):
                rows.append(x[:, :, i:i + kh, j:j + kw].reshape(N, -1))
        self.rows = np.stack(rows, axis=1).reshape(N * self.oh * self.ow, -1)
        out = self.rows @ self.weights.reshape(F, -1).T + self.bias
        return out.reshape(N, self.oh, self.ow, F).transpose(0, 3, 1, 2)

    def backward(self, grad):
        F, C, kh, kw = self.weights.shape
        N = grad.shape[0]
        g = grad.reshape(-1, F)
        self.grad_weights = (g.T @ self.rows).reshape(self.weights.shape)
        self.grad_bias = g.sum(axis=0)
        d = (g @ self.weights.reshape(F, -1)).reshape(N, self.oh, self.ow, C, kh, kw)
        dx = np.zeros_like(self.x)
        for i in range(self.oh):
            for j in range(self.ow):
                dx[:, :, i:i + kh, j:j + kw] += d[:, i, j]
        return dx
