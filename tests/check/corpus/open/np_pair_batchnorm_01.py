import numpy as np


def forward(x, gamma, beta, eps=1e-5):
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta


def backward(dy, x, gamma, beta, eps=1e-5):
    inv = 1.0 / np.sqrt(x.var(0) + eps)
    xhat = (x - x.mean(0)) * inv
    dgamma, dbeta = np.sum(dy * xhat, 0), np.sum(dy, 0)
    dx = gamma * inv * (dy - xhat * dgamma / len(x))
    return dx, dgamma, dbeta
