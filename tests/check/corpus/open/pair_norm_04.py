import torch


def forward(x, gamma, beta, eps=1e-5):
    mu = x.mean((0, 2, 3), keepdim=True)
    var = ((x - mu) ** 2).mean((0, 2, 3), keepdim=True)
    return gamma[:, None, None] * (x - mu) / (var + eps).sqrt() + beta[:, None, None]


def backward(dy, x, gamma, beta, eps=1e-5):
    mu = x.mean((0, 2, 3), keepdim=True)
    var = ((x - mu) ** 2).mean((0, 2, 3), keepdim=True)
    istd = 1 / (var + eps).sqrt()
    xhat = (x - mu) * istd
    dgamma = torch.sum(dy * xhat, dim=0)
    dbeta = torch.sum(dy, dim=0)
    dxhat = dy * gamma[:, None, None]
    dx = istd * (dxhat - dxhat.mean((0, 2, 3), keepdim=True) - xhat * (dxhat * xhat).mean((0, 2, 3), keepdim=True))
    return dx, dgamma, dbeta
