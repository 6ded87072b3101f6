import numpy as np


def spatial_batchnorm_forward(x, gamma, beta, eps=1e-5):
    N, C, H, W = x.shape
    flat = np.moveaxis(x, 1, -1).reshape(-1, C)
    mu, std = flat.mean(0), np.sqrt(flat.var(0) + eps)
    xhat = (flat - mu) / std
    out = np.moveaxis((xhat * gamma + beta).reshape(N, H, W, C), -1, 1)
    return out, (xhat, std, gamma)


def spatial_batchnorm_backward(dout, cache):
    xhat, std, gamma = cache
    N, C, H, W = dout.shape
    dflat = dout.reshape(-1, C)
    dgamma = (dflat * xhat).sum(0)
    dbeta = dflat.sum(0)
    dxhat = dflat * gamma
    dx = (dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).mean(0)) / std
    dx = np.moveaxis(dx.reshape(N, H, W, C), -1, 1)
    return dx, dgamma, dbeta
