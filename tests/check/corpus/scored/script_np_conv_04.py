import numpy as np

x = np.random.randn(5, 7, 6)
w = np.random.randn(2, 3)
out = np.zeros((5, 6, 4))
for n in range(5):
    for i in range(6):
        for j in range(4):
            out[n, i, j] = np.sum(x[n, i:i + 2, j:j + 3] * w)

dout = np.random.randn(5, 6, 4)
for n in range(5):
    dw = np.zeros((2, 3))
    for i in range(6):
        for j in range(4):
            dw += dout[n, i, j] * x[n, i:i + 2, j:j + 3]
