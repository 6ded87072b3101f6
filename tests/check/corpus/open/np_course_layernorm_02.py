import numpy as np


def layernorm_forward(x, gamma, beta, eps=1e-5):
    mu = np.mean(x, axis=1, keepdims=True)
    var = np.var(x, axis=1, keepdims=True)
    inv = (var + eps) ** -0.5
    xhat = (x - mu) * inv
    return gamma * xhat + beta, (xhat, inv, gamma)


def layernorm_backward(dout, cache):
    xhat, inv, gamma = cache
    dgamma = np.sum(dout * xhat, axis=1)
    dbeta = np.sum(dout, axis=1)
    d = dout * gamma
    D = d.shape[1]
    dx = inv / D * (D * d - d.sum(1, keepdims=True) - xhat * (d * xhat).sum(1, keepdims=True))
    return dx, dgamma, dbeta
