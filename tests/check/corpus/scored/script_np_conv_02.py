import numpy as np

image = np.random.rand(7, 10)
kernel = np.random.rand(2, 3)
out = np.zeros((6, 8))
for r in range(6):
    for c in range(8):
        out[r, c] = (image[r:r + 2, c:c + 3] * kernel).sum()

dout = np.random.rand(6, 8)
dimage = np.zeros_like(image)
dkernel = np.zeros_like(kernel)
for r in range(2):
    for c in range(3):
        dkernel[r, c] = (image[r:r + 6, c:c + 8] * dout).sum()
        dimage[r:r + 6, c:c + 8] += kernel[r, c] * dout
