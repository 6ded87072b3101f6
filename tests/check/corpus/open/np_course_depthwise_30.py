import numpy as np
def depthwise_forward(x, w):
    c, kh, kw = w.shape
    win = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (2, 3))
    return np.einsum('nchwij,cij->nchw', win, w), (x, w, win)
def depthwise_backward(dout, cache):
    x, w, win = cache
    kh, kw = w.shape[1:]
    dw = np.einsum('nchw,nchwij->cij', dout, win)
    dp = np.pad(dout, ((0,0),(0,0),(kh-1,kh-1),(kw-1,kw-1)))
    dx = np.einsum('nchwij,cij->nchw', np.lib.stride_tricks.sliding_window_view(dp, (kh, kw), (2,3)), w)
    return dx, dw
