import numpy as np
rng = np.random.default_rng(0)
x = rng.normal(size=(2, 4, 6))
y = x.reshape(2, 2, 2, 3, 2).sum((2, 4))
g = rng.normal(size=(2, 2, 3))
gx = np.tile(g, (1, 2, 2))
