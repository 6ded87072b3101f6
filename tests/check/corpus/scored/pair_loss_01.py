import torch


def forward(a, b):
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


def backward(g, a, b):
    na, nb = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    cos = (a * b).sum(1, keepdim=True) / (na * nb)
    g = g[:, None]
    da = g * (b / (na * nb) - cos * a / na ** 2)
    db = g * (a / (na * nb) - cos * b / nb ** 2)
    return da, db
