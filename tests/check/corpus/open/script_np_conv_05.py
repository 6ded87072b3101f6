import numpy as np

x = np.random.randn(3, 2, 6, 7)
W = np.random.randn(4, 2, 3, 3)
b = np.random.randn(4)

cols = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))      # N C H W kh kw
cols = cols.transpose(1, 4, 5, 2, 3, 0).reshape(18, -1)                      # C*kh*kw, H*W*N

out = W.reshape(4, -1) @ cols + b.reshape(-1, 1)
out = out.reshape(4, 4, 5, 3).transpose(3, 0, 1, 2)

dout = np.random.randn(3, 4, 4, 5)
dW = dout.reshape(4, -1) @ cols.T
dW = dW.reshape(4, 2, 3, 3)
db = dout.sum(axis=(0, 2, 3))
