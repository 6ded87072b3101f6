import numpy as np


def svm_loss_forward(x, y):
    N = x.shape[0]
    margins = np.maximum(0, x - x[np.arange(N), y].reshape(-1, 1) + 1.0)
    margins[np.arange(N), y] = 0
    return np.sum(margins) / N, (margins, y)


def svm_loss_backward(dout, cache):
    margins, y = cache
    N = margins.shape[0]
    dx = np.zeros_like(margins)
    dx[margins > 0] = 1
    dx[np.arange(N), y] -= (margins > 0).sum(axis=1)
    return dx / N * dout, None


def example_inputs():
    rng = np.random.RandomState(5)
    return rng.randn(7, 4), rng.randint(0, 4, size=7)
