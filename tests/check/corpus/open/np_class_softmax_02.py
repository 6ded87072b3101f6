import numpy as np


class Activation_Softmax:
    def forward(self, inputs):
        exp_values = np.exp(inputs - np.max(inputs, axis=-1, keepdims=True))
        self.output = exp_values / np.sum(exp_values, axis=-1, keepdims=True)
        return self.output

    def backward(self, dvalues):
        shape = dvalues.shape
        out = self.output.reshape(-1, shape[-1])
        dv = dvalues.reshape(-1, shape[-1])
        self.dinputs = np.empty_like(dv)
        for i in range(len(out)):
            s = out[i].reshape(-1, 1)
            self.dinputs[i] = np.dot(np.diagflat(s) - np.dot(s, s.T), dv[i])
        return self.dinputs.reshape(shape)
