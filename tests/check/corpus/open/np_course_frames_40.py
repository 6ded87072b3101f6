import numpy as np
def frames_forward(x):
    n = (x.shape[1] - 4) // 2 + 1
    idx = 2 * np.arange(n)[:, None] + np.arange(4)
    return x[:, idx], (x.shape, idx)
def frames_backward(g, cache):
    s, idx = cache
    dx = np.zeros(s)
    dx[:, idx] += g
    return dx
