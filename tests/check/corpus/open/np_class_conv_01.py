import numpy as np


class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        kh, kw = kernel_size
        self.W = np.random.randn(out_channels, in_channels, kh, kw) * 0.3
        self.b = np.zeros(out_channels)
        self.stride, self.padding = stride, padding

    def im2col(self, x):
        kh, kw = self.W.shape[2:]
        s, p = self.stride, self.padding
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        win = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::s, ::s]
        n, c, oh, ow = win.shape[:4]
        return win.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, -1), (n, oh, ow), x.shape

    def forward(self, x):
        self.x_shape = x.shape
        self.cols, (n, oh, ow), self.padded_shape = self.im2col(x)
        out = self.cols @ self.W.reshape(len(self.W), -1).T + self.b
        return out.reshape(n, oh, ow, -1).transpose(0, 3, 1, 2)

    def backward(self, grad):
        n, o, oh, ow = grad.shape
        c, kh, kw = self.W.shape[1:]
        g = grad.transpose(0, 2, 3, 1).reshape(-1, o)
        self.dW = g.T @ self.cols
        self.db = g.sum(axis=0)
        dcols = (g @ self.W.reshape(o, -1)).reshape(n, oh, ow, c, kh, kw)
        dx = np.zeros(self.padded_shape)
        s, p = self.stride, self.padding
        for i in range(kh):
            for j in range(kw):
                dx[:, :, i:i + s * oh:s, j:j + s * ow:s] += dcols[..., i, j].transpose(0, 3, 1, 2)
        return dx[:, :, p:p + self.x_shape[2], p:p + self.x_shape[3]]


def example_layer():
    return Conv2D(3, 5, (3, 2), stride=2, padding=1)
