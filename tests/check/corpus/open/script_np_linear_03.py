import numpy as np

m = 10
X = np.random.randn(10, 6)
W = np.random.randn(3, 6)
b = np.random.randn(3)

Z = np.dot(X, W.T) + b
dZ = np.random.randn(10, 3)

dW = np.dot(X.T, dZ) / 10
db = np.sum(dZ, axis=0)
