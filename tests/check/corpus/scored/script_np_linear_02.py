import numpy as np

X = np.random.randn(15, 4)
y = np.random.randn(15)
w = np.random.randn(4)

y_hat = X.dot(w)
error = y_hat - y
dw = -X.T.dot(error)
