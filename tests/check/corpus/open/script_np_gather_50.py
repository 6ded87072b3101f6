import numpy as np
rng = np.random.default_rng(0)
x = rng.normal(size=(2, 3, 5))
p = np.arange(3)[:, None] + np.arange(3)
w = rng.normal(size=(3,))
y = x[:, :, p] @ w
dy = rng.normal(size=y.shape)
dx = np.zeros(x.shape)
dx[:, :, p] = dy[..., None] * w
