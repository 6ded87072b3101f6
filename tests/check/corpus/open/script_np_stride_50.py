import numpy as np
np.random.seed(5)
s = 2
x = np.random.randn(2, 3, 9, 9)
w = np.random.randn(4, 3, 3, 3)
out = np.zeros((2, 4, 4, 4))
for r in range(4):
    for c in range(4):
        out[:, :, r, c] = np.einsum('nchw,ochw->no', x[:, :, r * s:r * s + 3, c * s:c * s + 3], w)
dout = np.random.randn(2, 4, 4, 4)
dx = np.zeros_like(x)
for r in range(4):
    for c in range(4):
        dx[:, :, r:r + 3, c:c + 3] += np.einsum('no,ochw->nchw', dout[:, :, r, c], w)
