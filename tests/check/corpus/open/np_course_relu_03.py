import numpy as np

ALPHA = 0.2


def leaky_relu_forward(x):
    return np.where(x > 0, x, ALPHA * x), x


def leaky_relu_backward(dout, cache):
    x = cache
    dx = np.array(dout, copy=True)
    dx[x <= 0] *= -ALPHA
    return dx
