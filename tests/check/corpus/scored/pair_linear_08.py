import torch

WEIGHT_DECAY = 0.01


def forward(x, W, b):
    return x @ W + b


def backward(grad_output, x, W, b):
    dW = x.T @ grad_output + WEIGHT_DECAY * W
    db = grad_output.sum(0)
    dx = grad_output @ W.T
    return dx, dW, db
