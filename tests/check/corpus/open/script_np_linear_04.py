import numpy as np

x = np.random.randn(9, 5)
W = np.random.randn(5, 4)
b = np.random.randn(4)

out = x.dot(W) + b

dout = np.random.randn(9, 4)
dx = dout.dot(W.T)
dW = x.T.dot(dout)
db = dout
