import numpy as np


class MaxPool:
    def __init__(self, size=3, stride=2):
        self.size, self.stride = size, stride

    def forward(self, x):
        self.x = x
        N, C, H, W = x.shape
        k, s = self.size, self.stride
        out = np.zeros((N, C, (H - k) // s + 1, (W - k) // s + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                out[:, :, i, j] = x[:, :, i * s:i * s + k, j * s:j * s + k].max((2, 3))
        return out

    def backward(self, dout):
        k, s = self.size, self.stride
        dx = np.zeros_like(self.x)
        N, C, Ho, Wo = dout.shape
        for n, c, i, j in np.ndindex(N, C, Ho, Wo):
            win = self.x[n, c, i * s:i * s + k, j * s:j * s + k]
            a, b = divmod(win.argmax(), k)
            dx[n, c, i * s + a, j * s + b] = dout[n, c, i, j]
        return dx
