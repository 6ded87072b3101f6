import numpy as np
def sg(z): return 1 / (1 + np.exp(-z))
def lstm_forward(x, h, c, Wx, Wh, b):
    a = x @ Wx + h @ Wh + b
    i, f, o, g = np.split(a, 4, axis=1)
    i, f, o, g = sg(i), sg(f), sg(o), np.tanh(g)
    cn = f * c + i * g
    hn = o * np.tanh(cn)
    return hn, (x, h, c, Wx, Wh, i, f, o, g, cn)
def lstm_backward(dh, cache):
    x, h, c, Wx, Wh, i, f, o, g, cn = cache
    tc = np.tanh(cn)
    do = dh * tc
    dc = dh * o * (1 - tc ** 2)
    di, df, dg, dcp = dc * g, dc * c, dc * i, dc * f
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g)])
    return da @ Wx.T, da @ Wh.T, dcp, x.T @ da, h.T @ da, da.sum(0)
