import numpy as np


def forward(x, kernel_size=3, stride=2):
    n, c, h, w = x.shape
    k, s = kernel_size, stride
    y = np.zeros((n, c, (h - k) // s + 1, (w - k) // s + 1))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            y[:, :, i, j] = x[:, :, i * s:i * s + k, j * s:j * s + k].mean(axis=(2, 3))
    return y


def backward(g, x, kernel_size=3, stride=2):
    k, s = kernel_size, stride
    dx = np.zeros_like(x)
    for i in range(g.shape[2]):
        for j in range(g.shape[3]):
            dx[:, :, i * s:i * s + k, j * s:j * s + k] = g[:, :, i, j, None, None] / k ** 2
    return dx
