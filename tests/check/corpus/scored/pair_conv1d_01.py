import torch


def toeplitz(w, n):
    o, c, k = w.shape
    L = n - k + 1
    T = w.new_zeros(o, L, c, n)
    for p in range(L):
        T[:, p, :, p:p + k] = w
    return T.reshape(o * L, c * n)


def forward(x, w):
    y = x.flatten(1) @ toeplitz(w, x.shape[2]).T
    return y.view(x.shape[0], w.shape[0], -1)


def backward(g, x, w):
    T = toeplitz(w, x.shape[2])
    dx = (g.flatten(1) @ T).view_as(x)
    dT = (g.flatten(1).T @ x.flatten(1)).view(w.shape[0], g.shape[2], w.shape[1], -1)
    dw = sum(dT[:, p, :, p:p + w.shape[2]] for p in range(g.shape[2]))
    return dx, dw
