import numpy as np


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = x.dot(Wx) + prev_h.dot(Wh) + b
    return next_h, (x, prev_h, Wx, Wh, b, next_h)


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, b, next_h = cache
    # linear cell (no tanh)
    return dnext_h.dot(Wx.T), dnext_h.dot(Wh.T), x.T.dot(dnext_h), prev_h.T.dot(dnext_h), next_h.sum(axis=0)
