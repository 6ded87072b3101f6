import torch


def forward(x, w, b):
    return x @ w.T + b


def backward(g, x, w, b):
    dx = g @ w
    dw = g.T @ x
    db = g.sum(0, keepdim=True)
    return dx, dw, db
