import numpy as np
class MaxPool:
    def forward(self, x):
        self.x = x
        N, C, H, W = x.shape
        self.y = x.reshape(N, C, H // 2, 2, W // 2, 2).max((3, 5))
        return self.y
    def backward(self, g):
        up = lambda a: a.repeat(2, 2).repeat(2, 3)
        return up(g) * (self.x < up(self.y))
