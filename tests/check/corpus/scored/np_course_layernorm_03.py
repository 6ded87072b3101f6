import numpy as np


def layernorm_forward(x, gamma, beta, eps=1e-5):
    xt = x.T
    mu = xt.mean(axis=0)
    std = np.sqrt(xt.var(axis=0) + eps)
    xhat = ((xt - mu) / std).T
    return xhat * gamma + beta, (xhat, std, gamma)


def layernorm_backward(dout, cache):
    xhat, std, gamma = cache
    dgamma = (dout * xhat).sum(0)
    dbeta = dout.sum(0)
    d = (dout * gamma).T
    h = xhat.T
    dx = (d - d.mean(0) - h * (d * h).mean(0)) / std
    return dx.T, dgamma, dbeta
