import numpy as np


class Conv:
    def __init__(self, num_filters=3, size=3):
        self.size = size
        self.filters = np.random.randn(num_filters, size, size) / size ** 2

    def regions(self, img):
        k = self.size
        for i in range(img.shape[0] - k + 1):
            for j in range(img.shape[1] - k + 1):
                yield i, j, img[i:i + k, j:j + k]

    def forward(self, image):
        self.image = image
        k = self.size
        out = np.empty((image.shape[0] - k + 1, image.shape[1] - k + 1, len(self.filters)))
        for i, j, r in self.regions(image):
            out[i, j] = (self.filters * r).sum((1, 2))
        return out

    def backward(self, grad):
        k = self.size
        self.dfilters = sum(grad[i, j][:, None, None] * r for i, j, r in self.regions(self.image))
        dimg = np.zeros_like(self.image)
        for i, j, _ in self.regions(self.image):
            dimg[i:i + k, j:j + k] += np.tensordot(grad[i, j], self.filters, 1)
        return dimg
