import numpy as np

x = np.random.randn(4, 8, 8)          # four grey images
w = np.random.randn(3, 3)
out = np.zeros((4, 6, 6))
for i in range(6):
    for j in range(6):
        out[:, i, j] = np.sum(x[:, i:i + 3, j:j + 3] * w, axis=(1, 2))

dout = np.random.randn(4, 6, 6)
dw = np.zeros((3, 3))
for n in range(4):
    for i in range(6):
        for j in range(6):
            dw += x[n, i:i + 3, j:j + 3]
