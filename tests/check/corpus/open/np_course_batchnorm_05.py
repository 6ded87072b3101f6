import numpy as np


def spatial_batchnorm_forward(x, gamma, beta, eps=1e-5):
    N, C, H, W = x.shape
    flat = x.transpose(0, 2, 3, 1).reshape(-1, C)
    mu, var = flat.mean(0), flat.var(0)
    inv = 1 / np.sqrt(var + eps)
    xhat = (flat - mu) * inv
    out = (gamma * xhat + beta).reshape(N, H, W, C).transpose(0, 3, 1, 2)
    return out, (xhat, inv, gamma)


def spatial_batchnorm_backward(dout, cache):
    xhat, inv, gamma = cache
    N, C, H, W = dout.shape
    d = dout.transpose(0, 2, 3, 1).reshape(-1, C)
    dgamma = (d * xhat).sum(0)
    dbeta = d.sum(0)
    M = d.shape[0]
    dx = inv / M * (M * d - d.sum(0) - xhat * (d * xhat).sum(0))
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta
