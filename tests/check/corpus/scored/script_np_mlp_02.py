import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


X = np.random.randn(8, 4)
W1 = np.random.randn(4, 6)
W2 = np.random.randn(6, 2)

z1 = X.dot(W1)
a1 = sigmoid(z1)
z2 = a1.dot(W2)
a2 = sigmoid(z2)

y = np.random.rand(8, 2)
da2 = a2 - y

delta2 = da2 * sigmoid_prime(z2)
delta1 = delta2.dot(W2.T) * sigmoid_prime(a1)

dW2 = a1.T.dot(delta2)
dW1 = X.T.dot(delta1)
