import numpy as np


class Linear(object):
    def __init__(self):
        self.params = dict(W=np.random.randn(4, 3), b=np.random.randn(3))
        self.grads = dict()

    def forward(self, x):
        self.cache = x
        return x.dot(self.params['W']) + self.params['b']

    def backward(self, dy):
        x = self.cache
        self.grads['W'] = -x.T.dot(dy)
        self.grads['b'] = -dy.sum(axis=0)
        return dy.dot(self.params['W'].T)
