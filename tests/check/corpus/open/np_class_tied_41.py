import numpy as np
class TwiceUsed:
    "tied layer applied twice"
    def forward(self, x, W):
        self.x, self.W = x, W
        self.h = np.tanh(x @ W)
        return self.h @ W
    def backward(self, g):
        dW = np.einsum("nti,nto->io", self.h, g)
        dh = (g @ self.W.T) * (1 - self.h ** 2)
        dW = np.einsum("nti,nto->io", self.x, dh)
        return dh @ self.W.T, dW
