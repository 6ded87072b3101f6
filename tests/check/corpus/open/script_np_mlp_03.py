import numpy as np

X = np.random.randn(12, 2)
W = np.random.randn(2, 9)
b = np.random.randn(1, 9) * 0.1
W2 = np.random.randn(9, 3)

hidden_layer = np.maximum(0, np.dot(X, W) + b)
scores = np.dot(hidden_layer, W2)

dscores = np.random.randn(12, 3)

dW2 = np.dot(hidden_layer.T, dscores)
dhidden = np.dot(dscores, W2.T)
# backprop the ReLU non-linearity
dhidden[dhidden <= 0] = 0
dW = np.dot(X.T, dhidden)
db = np.sum(dhidden, axis=0, keepdims=True)
