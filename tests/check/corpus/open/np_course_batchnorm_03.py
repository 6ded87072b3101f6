import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    mean = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    x_norm = (x - mean) / np.sqrt(var + eps)
    return gamma * x_norm + beta, (x_norm, gamma, np.sqrt(var + eps))


def batchnorm_backward(dout, cache):
    x_norm, gamma, std = cache
    dgamma = (dout * x_norm).sum(axis=0)
    dbeta = dout.sum(axis=0)
    dx = dout * gamma / std
    return dx, dgamma, dbeta
