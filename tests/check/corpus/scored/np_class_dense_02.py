import numpy as np


class DenseLayer:
    def __init__(self):
        self.weights = 0.01 * np.random.randn(4, 3)
        self.biases = np.zeros((1, 3))

    def forward(self, inputs):
        self.inputs = inputs
        return np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(dvalues.T, self.inputs)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        return np.dot(dvalues, self.weights.T)
