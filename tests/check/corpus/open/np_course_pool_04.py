import numpy as np

K = 2


def avg_pool_forward(x):
    N, C, H, W = x.shape
    return x.reshape(N, C, H // K, K, W // K, K).mean(axis=(3, 5)), x.shape


def avg_pool_backward(dout, cache):
    dx = np.kron(dout, np.ones((K, K))) / (K * K)
    return dx.reshape(cache)
