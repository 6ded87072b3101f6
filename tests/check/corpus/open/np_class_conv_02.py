import numpy as np


class ConvLayer:
    """Layer of a small numpy network; the update happens in backward."""

    def __init__(self):
        self.lr = 0.01
        rng = np.random.RandomState(0)
        self.filters = rng.randn(4, 2, 3, 2)

    def forward(self, x):
        self.x = x
        fh, fw = self.filters.shape[2:]
        oh, ow = x.shape[2] - fh + 1, x.shape[3] - fw + 1
        out = np.zeros((x.shape[0], len(self.filters), oh, ow))
        for i in range(oh):
            for j in range(ow):
                region = x[:, :, i:i + fh, j:j + fw]
                out[:, :, i, j] = np.tensordot(region, self.filters, axes=([1, 2, 3], [1, 2, 3]))
        return out

    def backward(self, d_out):
        fh, fw = self.filters.shape[2:]
        self.d_filters = np.zeros_like(self.filters)
        for i in range(d_out.shape[2]):
            for j in range(d_out.shape[3]):
                region = self.x[:, :, i:i + fh, j:j + fw]
                self.d_filters += np.tensordot(d_out[:, :, i, j], region, axes=([0], [0]))

        # update
        self.filters = self.filters - self.lr * self.d_filters

        d_x = np.zeros_like(self.x)
        for i in range(d_out.shape[2]):
            for j in range(d_out.shape[3]):
                d_x[:, :, i:i + fh, j:j + fw] += np.tensordot(d_out[:, :, i, j], self.filters, axes=1)
        return d_x
