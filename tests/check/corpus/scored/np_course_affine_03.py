import numpy as np


def linear_forward(A_prev, W, b):
    Z = W @ A_prev + b
    cache = (A_prev, W, b)
    return Z, cache


def linear_backward(dZ, cache):
    A_prev, W, b = cache
    dA_prev = W.T @ dZ
    dW = dZ @ A_prev.T
    db = dZ[:, :1]
    return dA_prev, dW, db
