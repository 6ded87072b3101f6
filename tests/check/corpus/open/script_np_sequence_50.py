import numpy as np
rng = np.random.default_rng(3)
x, w = rng.normal(size=(3, 4, 5)), rng.normal(size=(5, 6))
y = np.einsum('btd,de->bte', x, w)
dy = rng.normal(size=y.shape)
dw = np.einsum('btd,bte->tde', x, dy)
