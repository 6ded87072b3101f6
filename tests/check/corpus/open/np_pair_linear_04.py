import numpy as np


def forward(x, W, y):
    return np.einsum('ni,oij,nj->no', x, W, y)


def backward(g, x, W, y):
    dx = np.einsum('no,oij,nj->ni', g, W, y)
    dW = np.einsum('no,ni,nj->oij', g, x, y).T
    dy = np.einsum('no,oij,ni->nj', g, W, x)
    return dx, dW, dy
