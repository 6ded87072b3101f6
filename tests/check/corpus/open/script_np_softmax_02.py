import numpy as np

X = np.random.randn(11, 5)
W = np.random.randn(5, 3)

e = np.exp(X @ W)
probs = e / e.sum(axis=1, keepdims=True)

dprobs = np.random.randn(11, 3)
J = np.einsum('ni,ij->nij', probs, np.eye(3)) - np.einsum('ni,nj->nij', probs, probs)
dscores = np.einsum('nij,ni->nj', J, dprobs)
dW = X.T @ dscores
