import torch


def forward(x, w):
    # x: (batch, time, channels), w: (taps, channels, filters)
    k = w.shape[0]
    T = x.shape[1] - k + 1
    return sum(x[:, i:i + T] @ w[i] for i in range(k))


def backward(dy, x, w):
    k = w.shape[0]
    T = dy.shape[1]
    dx = torch.zeros_like(x)
    for i in range(k):
        dx[:, i:i + T] += dy @ w[i].T
    cols = torch.stack([x[:, i:i + T] for i in range(k)])       # taps, batch, time, channels
    dw = torch.tensordot(cols, dy, dims=([1, 2], [0, 1])).T
    return dx, dw
