import numpy as np

np.random.seed(42)
X = np.random.rand(20, 3)
w = np.zeros(3)
b = np.zeros(1)
y = X @ np.array([1.0, -2.0, 0.5]) + 0.3

lr = 0.1
y_hat = X @ w + b
error = y - y_hat
grad_w = X.T @ error
grad_b = np.array([error.sum()])

w_new = w + lr * grad_w / 20
b_new = b + lr * grad_b / 20
print(w_new, b_new)
