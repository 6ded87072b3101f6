import torch


def forward(x, gamma, beta, eps=1e-5):
    mu = x.mean(dim=0)
    ivar = 1.0 / torch.sqrt(((x - mu) ** 2).mean(dim=0) + eps)
    return (x - mu) * ivar * gamma + beta


def backward(dout, x, gamma, beta, eps=1e-5):
    N = x.shape[0]
    mu = x.mean(dim=0)
    ivar = 1.0 / torch.sqrt(((x - mu) ** 2).mean(dim=0) + eps)
    xhat = (x - mu) * ivar
    dbeta = dout.sum(dim=0)
    dgamma = (xhat * dout).sum(dim=0)
    dx = ivar / N * (N * dout - dbeta - xhat * dgamma)
    return dx, dgamma, dbeta
