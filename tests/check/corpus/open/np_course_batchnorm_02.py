import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    N, D = x.shape
    mu = 1. / N * np.sum(x, axis=0)
    xmu = x - mu
    var = 1. / N * np.sum(xmu ** 2, axis=0)
    ivar = 1. / np.sqrt(var + eps)
    xhat = xmu * ivar
    out = gamma * xhat + beta
    return out, (xhat, gamma, xmu, ivar)


def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, ivar = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    dvar = np.sum(dxhat * xmu, axis=0) * -0.5 * ivar ** 3
    dx = dxhat * ivar + dvar * 2 * xmu / N
    return dx, dgamma, dbeta
