import numpy as np
def block_forward(x, W1, W2):
    h = np.maximum(x @ W1, 0)
    out = np.maximum(h @ W2 + x, 0)
    return out, (x, W1, W2, h, out)
def block_backward(dout, cache):
    x, W1, W2, h, out = cache
    dW2 = h.T @ dout
    dh = dout @ W2.T * (h > 0)
    dW1 = x.T @ dh
    dx = dh @ W1.T + dout
    return dx, dW1, dW2
