import numpy as np


def forward(x, alpha=1.3):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def backward(g, x, alpha=1.3):
    y = forward(x, alpha)
    return g * np.where(x > 0, 1.0, y + alpha)
