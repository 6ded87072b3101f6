import numpy as np
def spatial_bn_forward(x, gamma, beta):
    mu = x.mean((0, 2, 3), keepdims=True); var = x.var((0, 2, 3), keepdims=True)
    std = np.sqrt(var + 1e-5); xh = (x - mu) / std
    return gamma.reshape(1, -1, 1, 1) * xh + beta.reshape(1, -1, 1, 1), (xh, std, gamma)
def spatial_bn_backward(dout, cache):
    xh, std, gamma = cache
    N = dout.shape[0]
    db = dout.sum((0, 2, 3)); dg = (dout * xh).sum((0, 2, 3))
    g4, b4 = dg.reshape(1, -1, 1, 1), db.reshape(1, -1, 1, 1)
    dx = gamma.reshape(1, -1, 1, 1) / (N * std) * (N * dout - b4 - xh * g4)
    return dx, dg, db
