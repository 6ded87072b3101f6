import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    mean = x.mean(0)
    std = np.sqrt(x.var(0) + eps)
    xh = (x - mean) / std
    return xh * gamma + beta, (xh, gamma, std)


def batchnorm_backward(dout, cache):
    xh, gamma, std = cache
    dgamma = np.einsum('nd,nd->d', dout, xh)
    dbeta = dout.sum(0)
    dx = gamma / (len(dout) * std) * (len(dout) * dout - dbeta - xh * dgamma)
    return dx, dgamma, dbeta
