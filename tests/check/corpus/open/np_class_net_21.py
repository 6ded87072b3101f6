import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def dsigmoid(z):
    s = sigmoid(z)
    return s * (1 - s)


class MLP:
    def __init__(self):
        rng = np.random.default_rng(0)
        self.W1 = rng.normal(size=(4, 5))
        self.b1 = np.zeros(5)
        self.W2 = rng.normal(size=(5, 2))
        self.b2 = np.zeros(2)

    def forward(self, X):
        self.X = X
        self.a1 = sigmoid(X @ self.W1 + self.b1)
        self.a2 = sigmoid(self.a1 @ self.W2 + self.b2)
        return self.a2

    def backward(self, grad):
        d2 = grad * self.a2 * (1 - self.a2)
        self.dW2 = self.a1.T @ d2
        self.db2 = d2.sum(0)
        d1 = (d2 @ self.W2.T) * dsigmoid(self.a1)
        self.dW1 = self.X.T @ d1
        self.db1 = d1.sum(0)
        return d1 @ self.W1.T
