import numpy as np

x = np.random.randn(10, 4)
gamma = np.random.rand(4) + 0.5
beta = np.random.randn(4)

mu = x.mean(axis=0)
var = x.var(axis=0)
xhat = (x - mu) / np.sqrt(var + 1e-5)
out = gamma * xhat + beta

dout = np.random.randn(10, 4)
dgamma = (dout * xhat).sum(axis=0)
dxhat = dout * gamma
dx = (dxhat - dxhat.mean(axis=0)) / np.sqrt(var + 1e-5)
