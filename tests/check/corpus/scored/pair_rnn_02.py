import torch


def forward(x, Wx, Wh):
    h = x.new_zeros(x.size(0), Wh.size(0))
    for t in range(x.size(1)):
        h = torch.tanh(x[:, t] @ Wx + h @ Wh)
    return h


def backward(grad, x, Wx, Wh):
    h, hs = x.new_zeros(x.size(0), Wh.size(0)), []
    for t in range(x.size(1)):
        hs.append(h)
        h = torch.tanh(x[:, t] @ Wx + h @ Wh)
    hs.append(h)
    dx, dWx, dWh = torch.zeros_like(x), torch.zeros_like(Wx), torch.zeros_like(Wh)
    for t in range(x.size(1) - 1, -1, -1):
        grad = grad * (1 - hs[t + 1].square())
        dx[:, t] = grad @ Wx.T
        dWx += x[:, t].T @ grad
        dWh += hs[t].T @ grad
        grad = grad @ Wh.T
    return dx, dWx, dWh
