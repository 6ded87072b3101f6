import numpy as np
def glu_forward(x, W, V):
    a, b = x @ W, x @ V
    s = 1 / (1 + np.exp(-b))
    return a * s, (x, W, V, a, b, s)
def glu_backward(d, c):
    x, W, V, a, b, s = c
    da = d * s
    db = d * a * s
    return da @ W.T + db @ V.T, x.T @ da, x.T @ db
