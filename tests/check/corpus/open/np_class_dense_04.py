import numpy as np


class FCLayer:
    def __init__(self):
        self.learning_rate = 0.1
        self.weights = np.random.rand(4, 3) - 0.5
        self.bias = np.random.rand(1, 3) - 0.5

    def forward(self, input):
        self.input = input
        return np.dot(self.input, self.weights) + self.bias

    def backward(self, output_error):
        self.weights_error = np.dot(self.input.T, output_error)
        # update parameters
        self.weights -= self.learning_rate * self.weights_error
        self.bias -= self.learning_rate * output_error.sum(axis=0, keepdims=True)
        return np.dot(output_error, self.weights.T)
