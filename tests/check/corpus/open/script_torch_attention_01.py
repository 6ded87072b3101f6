import torch

q = torch.randn(2, 5, 4)
k = torch.randn(2, 6, 4)
scores = q @ k.transpose(1, 2) / 4 ** 0.5

d_scores = torch.randn(2, 5, 6)
d_q = d_scores @ k / 4 ** 0.5
d_k = q.transpose(1, 2) @ d_scores / 4 ** 0.5
