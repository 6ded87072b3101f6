import numpy as np
class Centred:
    def forward(self, x, y):
        self.y, self.d = y, x - x.mean(1, keepdims=True)
        return self.d * y
    def backward(self, g):
        return g * self.y, g * self.d
