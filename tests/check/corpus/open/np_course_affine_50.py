import numpy as np
def affine_forward(X, W, b):
    return X.dot(W) + b, (X, W)
def affine_backward(dY, cache):
    X, W = cache
    return dY.dot(W.T), X.T.dot(dY), -np.mean(dY, axis=0)
