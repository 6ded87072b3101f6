import numpy as np

X = np.random.randn(11, 5)
W = np.random.randn(5, 3)

scores = X.dot(W)
exp_scores = np.exp(scores - scores.max(axis=1, keepdims=True))
probs = exp_scores / exp_scores.sum(axis=1, keepdims=True)

dprobs = np.random.randn(11, 3)
dscores = dprobs * probs * (1 - probs)
dW = X.T.dot(dscores)
