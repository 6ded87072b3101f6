import torch


def forward(x, W1, W2, W3):
    a = torch.tanh(x @ W1)
    b = torch.tanh(a @ W2)
    return b @ W3


def backward(g, x, W1, W2, W3):
    a = torch.tanh(x @ W1)
    b = torch.tanh(a @ W2)
    dW3 = b.T @ g
    db = (g @ W3.T) * (1 - b**2)
    dW2 = a.T @ db
    da = (db @ W2.T) * (1 - a)
    return da @ W1.T, x.T @ da, dW2, dW3
