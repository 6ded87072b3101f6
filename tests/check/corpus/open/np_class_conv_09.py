import numpy as np


class Conv:
    def __init__(self):
        self.params = {"W": np.random.randn(3, 2, 3, 2), "b": np.random.randn(3)}
        self.grads = {}

    def forward(self, x):
        W, b = self.params["W"], self.params["b"]
        self.win = np.lib.stride_tricks.sliding_window_view(x, W.shape[2:], axis=(2, 3))
        return np.einsum("nchwij,ocij->nohw", self.win, W) + b[None, :, None, None]

    def backward(self, grad):
        W = self.params["W"]
        kh, kw = W.shape[2:]
        self.grads["W"] = np.einsum("nohw,nchwij->ocij", grad, self.win)
        self.grads["b"] = grad.mean(axis=(2, 3)).sum(axis=0)
        p = np.pad(grad, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
        pw = np.lib.stride_tricks.sliding_window_view(p, (kh, kw), axis=(2, 3))
        return np.einsum("nohwij,ocij->nchw", pw, W[:, :, ::-1, ::-1])
