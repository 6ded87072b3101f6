import numpy as np


class MaxPool2:
    # height, width, filters; 2x2 windows

    def forward(self, input):
        self.last_input = input
        h, w, f = input.shape
        return input.reshape(h // 2, 2, w // 2, 2, f).max(axis=(1, 3))

    def backward(self, d_L_d_out):
        h, w, f = self.last_input.shape
        d_L_d_input = np.zeros(self.last_input.shape)
        for i in range(h // 2):
            for j in range(w // 2):
                for i2 in range(2):
                    for j2 in range(2):
                        d_L_d_input[i * 2 + i2, j * 2 + j2] = d_L_d_out[i, j]
        return d_L_d_input
