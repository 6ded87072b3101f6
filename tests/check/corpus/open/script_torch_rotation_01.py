import torch

A = torch.randn(6, 6)
B = torch.randn(6, 6)
C = A @ B

dC = torch.randn(6, 6)
dA = dC @ B.T
dB = dC @ A.T
