import numpy as np

x = np.random.randn(15)
w = np.random.randn(4)
y = np.correlate(x, w, 'valid')

dy = np.random.randn(12)
dx = np.convolve(dy, w, 'full')
dw = np.convolve(x, dy[::-1], 'valid')[::-1]
