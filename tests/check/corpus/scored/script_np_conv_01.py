import numpy as np

image = np.random.randn(8, 9)
kernel = np.random.randn(3, 3)
out = np.zeros((6, 7))

for i in range(6):
    for j in range(7):
        out[i, j] = np.sum(image[i:i + 3, j:j + 3] * kernel)

dout = np.random.randn(6, 7)
dimage = np.zeros((8, 9))
dkernel = np.zeros((3, 3))
for i in range(6):
    for j in range(7):
        dkernel += dout[i, j] * image[i:i + 3, j:j + 3]
        dimage[i:i + 3, j:j + 3] = dout[i, j] * kernel
