import numpy as np


def sig(z):
    return 1 / (1 + np.exp(-z))


def lstm_step_forward(x, h, c, Wx, Wh, b):
    H = h.shape[1]
    a = x.dot(Wx) + h.dot(Wh) + b
    i, f, o, g = (
        sig(a[:, :H]),
        sig(a[:, H : 2 * H]),
        sig(a[:, 2 * H : 3 * H]),
        np.tanh(a[:, 3 * H :]),
    )
    nc = f * c + i * g
    nh = o * np.tanh(nc)
    return nh, (x, h, c, Wx, Wh, i, f, o, g, nc)


def lstm_step_backward(dh, cache):
    x, h, c, Wx, Wh, i, f, o, g, nc = cache
    t = np.tanh(nc)
    do = dh * t
    dc = dh * o * (1 - t**2)
    di, df, dg = dc * g, dc * c, dc * i
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g)])
    return da.dot(Wx.T), da.dot(Wh.T), dc * f, x.T.dot(da), h.T.dot(da), da.sum(0)
