import numpy as np


def forward(x):
    return x.max(axis=-1)


def backward(g, x):
    dx = np.zeros_like(x)
    np.put_along_axis(dx, x.argmax(axis=-1)[..., None], g[..., None], axis=-1)
    return dx
