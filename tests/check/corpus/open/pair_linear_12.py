import torch


def forward(x, W1, W2):
    h = torch.relu(x @ W1)
    return h @ W2


def backward(dout, x, W1, W2):
    h = torch.relu(x @ W1)
    dW2 = h.T @ dout
    dh = dout @ W2.T
    dW1 = x.T @ dh
    return dh @ W1.T, dW1, dW2
