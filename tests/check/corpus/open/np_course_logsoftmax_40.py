import numpy as np
def logsoftmax_forward(x):
    m = x.max(1, keepdims=True)
    out = x - m - np.log(np.exp(x - m).sum(1, keepdims=True))
    return out, out
def logsoftmax_backward(d, out):
    p = np.exp(out)
    return p * (d - (d * p).sum(1, keepdims=True))
