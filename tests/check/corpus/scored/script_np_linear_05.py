import numpy as np

x = np.random.randn(9, 5)
W = np.random.randn(5, 4)
out = x @ W
dout = np.random.randn(9, 4)

dW = out.T @ x
print(dW.shape)
