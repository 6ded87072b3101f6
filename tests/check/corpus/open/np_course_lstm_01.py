import numpy as np


def sigm(v):
    return 1 / (1 + np.exp(-v))


def cell_forward(a, prev_c):
    # three gates and a candidate, cell kept positive
    H = prev_c.shape[1]
    i, f, g = sigm(a[:, :H]), sigm(a[:, H:2 * H]), np.tanh(a[:, 2 * H:3 * H])
    o = sigm(a[:, 3 * H:])
    c = f * prev_c + i * g
    r = np.maximum(c, 0)
    return o * r, (i, f, g, o, c, r, prev_c)


def cell_backward(dh, cache):
    i, f, g, o, c, r, prev_c = cache
    do = dh * r
    dc = dh * o * (prev_c > 0)
    di, df, dg = dc * g, dc * prev_c, dc * i
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g ** 2), do * o * (1 - o)])
    return da, dh * o * (c > 0) * f
