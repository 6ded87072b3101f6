import numpy as np
def rnn_forward(xs, U, W, b):
    T, N, _ = xs.shape
    hs = {-1: np.zeros((N, W.shape[0]))}
    for t in range(T):
        hs[t] = np.tanh(xs[t].dot(U) + hs[t - 1].dot(W) + b)
    return np.stack([hs[t] for t in range(T)]), (xs, U, W, hs)
def rnn_backward(dH, cache):
    xs, U, W, hs = cache
    T = len(xs)
    dU, dW, db = np.zeros_like(U), np.zeros_like(W), 0.0
    dxs = np.zeros_like(xs)
    dnext = np.zeros_like(hs[0])
    for t in reversed(range(T)):
        dh = dH[t] + dnext
        draw = dh * (1 - hs[t] * hs[t])
        db = db + draw.sum(axis=0)
        dU += xs[t].T.dot(draw)
        dW = hs[t - 1].T.dot(draw)
        dxs[t] = draw.dot(U.T)
        dnext = draw.dot(W.T)
    return dxs, dU, dW, db
