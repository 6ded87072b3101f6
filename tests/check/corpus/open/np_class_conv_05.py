import numpy as np


class Convolution:
    def __init__(self, W, b, stride=1, pad=0, l2=0.05):
        self.W, self.b = W, b
        self.stride, self.pad, self.l2 = stride, pad, l2
        self.dW = self.db = None

    def _col(self, X):
        FN, C, FH, FW = self.W.shape
        s = self.stride
        img = np.pad(X, [(0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad)], 'constant')
        N, C, H, W = img.shape
        oh, ow = (H - FH) // s + 1, (W - FW) // s + 1
        col = np.zeros((N, C, FH, FW, oh, ow))
        for y in range(FH):
            for x in range(FW):
                col[:, :, y, x] = img[:, :, y:y + s * oh:s, x:x + s * ow:s]
        return col.transpose(0, 4, 5, 1, 2, 3).reshape(N * oh * ow, -1), (N, oh, ow), img.shape

    def forward(self, X):
        self.X = X
        self.col, (N, oh, ow), self.img_shape = self._col(X)
        out = np.dot(self.col, self.W.reshape(len(self.W), -1).T) + self.b
        return out.reshape(N, oh, ow, -1).transpose(0, 3, 1, 2)

    def backward(self, dout):
        FN, C, FH, FW = self.W.shape
        s, p = self.stride, self.pad
        N, _, oh, ow = dout.shape
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)
        self.db = np.sum(dout, axis=0)
        self.dW = np.dot(self.col.T, dout).transpose(1, 0).reshape(FN, C, FH, FW)
        self.dW += self.l2 * self.W
        dcol = np.dot(dout, self.W.reshape(FN, -1)).reshape(N, oh, ow, C, FH, FW).transpose(0, 3, 4, 5, 1, 2)
        img = np.zeros(self.img_shape)
        for y in range(FH):
            for x in range(FW):
                img[:, :, y:y + s * oh:s, x:x + s * ow:s] += dcol[:, :, y, x]
        H, W = self.X.shape[2:]
        return img[:, :, p:p + H, p:p + W]


def example_layer():
    rng = np.random.RandomState(2)
    return Convolution(rng.randn(5, 3, 3, 2), rng.randn(5), stride=2, pad=1)
