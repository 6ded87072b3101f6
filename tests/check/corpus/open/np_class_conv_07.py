import numpy as np


def correlate2d(a, k, mode='valid'):
    if mode == 'full':
        a = np.pad(a, ((k.shape[0] - 1,) * 2, (k.shape[1] - 1,) * 2))
    out = np.zeros((a.shape[0] - k.shape[0] + 1, a.shape[1] - k.shape[1] + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(a[i:i + k.shape[0], j:j + k.shape[1]] * k)
    return out


class Convolutional:
    def __init__(self, depth=3, input_depth=2, kernel_size=(3, 2)):
        self.depth = depth
        self.input_depth = input_depth
        self.kernels = np.random.randn(depth, input_depth, *kernel_size)

    def forward(self, x):
        self.input = x
        kh, kw = self.kernels.shape[2:]
        self.output = np.zeros((self.depth, x.shape[1] - kh + 1, x.shape[2] - kw + 1))
        for i in range(self.depth):
            for j in range(self.input_depth):
                self.output[i] += correlate2d(self.input[j], self.kernels[i, j], "valid")
        return self.output

    def backward(self, output_gradient):
        self.kernels_gradient = np.zeros(self.kernels.shape)
        input_gradient = np.zeros(self.input.shape)
        for i in range(self.depth):
            for j in range(self.input_depth):
                self.kernels_gradient[i, j] = correlate2d(self.input[j], output_gradient[i], "valid")
                input_gradient[j] += correlate2d(output_gradient[i], self.kernels[i, j], "full")
        return input_gradient
