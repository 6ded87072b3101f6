import numpy as np


class Conv2d:
    def __init__(self, cin=2, cout=3, k=(3, 2)):
        self.w = np.random.randn(cout, cin, *k)
        self.dw = np.zeros_like(self.w)
        self._dx = {}

    def forward(self, x):
        self.x = x
        kh, kw = self.w.shape[2:]
        win = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))
        return np.einsum("nchwij,ocij->nohw", win, self.w)

    def backward(self, g):
        kh, kw = self.w.shape[2:]
        if self.x.shape not in self._dx:
            self._dx[self.x.shape] = np.zeros_like(self.x)
        dx = self._dx[self.x.shape]
        self.dw = np.zeros_like(self.w)
        for i in range(g.shape[2]):
            for j in range(g.shape[3]):
                d = g[:, :, i, j]
                self.dw += np.tensordot(d, self.x[:, :, i:i + kh, j:j + kw], axes=([0], [0]))
                dx[:, :, i:i + kh, j:j + kw] += np.tensordot(d, self.w, axes=1)
        return dx
