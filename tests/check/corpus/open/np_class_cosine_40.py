import numpy as np
class CosineSimilarity:
    def forward(self, x, y):
        self.x, self.y = x, y
        self.nx = np.sqrt((x * x).sum(1, keepdims=True)); self.ny = np.sqrt((y * y).sum(1, keepdims=True))
        self.c = (x * y).sum(1, keepdims=True) / self.nx / self.ny
        return self.c
    def backward(self, g):
        dx = g * (self.y / (self.nx * self.ny) + self.c * self.x / self.nx ** 2)
        dy = g * (self.x / (self.nx * self.ny) - self.c * self.y / self.ny ** 2)
        return dx, dy
