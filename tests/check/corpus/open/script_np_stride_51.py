import numpy as np
rng = np.random.default_rng(5)
x, w = rng.normal(size=(3, 2, 6, 6)), rng.normal(size=(4, 2, 3, 3))
out = np.zeros((3, 4, 4, 4))
for i in range(4):
    for j in range(4):
        out[:, :, i, j] = np.tensordot(x[:, :, i:i + 3, j:j + 3], w, ((1, 2, 3), (1, 2, 3)))
dout = rng.normal(size=(3, 4, 4, 4))
for n in range(3):
    dw = np.zeros_like(w)
    for i in range(4):
        for j in range(4):
            dw += dout[n, :, i, j][:, None, None, None] * x[n, :, i:i + 3, j:j + 3]
dw = dw / 3
