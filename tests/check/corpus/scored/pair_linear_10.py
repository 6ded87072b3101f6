import torch


def forward(x, w, b):
    return x.matmul(w.t()) + b


def backward(delta, x, w, b):
    m = x.shape[0]
    dw = x.t().matmul(delta) / m
    db = delta.sum(0)
    return delta.matmul(w), dw, db
