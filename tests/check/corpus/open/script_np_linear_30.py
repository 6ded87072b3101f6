import numpy as np
x = np.random.randn(5, 5)
w = np.random.randn(5, 5)
z = x @ w
y = np.maximum(z, 0)
dy = np.random.randn(5, 5)
dz = dy * (x > 0)
dw = x.T.dot(dz)
