import torch


def rnn_forward(x, Wx, Wh):
    h = torch.zeros(x.shape[0], Wh.shape[0], dtype=x.dtype)
    hs = [h]
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ Wx + h @ Wh)
        hs.append(h)
    return torch.stack(hs[1:], 1), (x, Wx, Wh, hs)


def rnn_backward(dout, cache):
    x, Wx, Wh, hs = cache
    dx = torch.zeros_like(x)
    dh = torch.zeros_like(hs[0])
    for t in reversed(range(x.shape[1])):
        dz = (dout[:, t] + dh) * (1 - hs[t + 1] ** 2)
        dx[:, t] = dz @ Wx.T
        dWx = x[:, t].T @ dz
        dWh = hs[t].T @ dz
        dh = dz @ Wh.T
    return dx, dWx, dWh
