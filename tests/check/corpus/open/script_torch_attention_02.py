import math
import torch

d = 8
q = torch.randn(3, 5, 8)
k = torch.randn(3, 6, 8)
scores = torch.bmm(q, k.transpose(-2, -1)) / math.sqrt(8)

d_scores = torch.randn(3, 5, 6)

d_q = torch.bmm(d_scores, k)
d_k = torch.bmm(d_scores.transpose(-2, -1), q)
