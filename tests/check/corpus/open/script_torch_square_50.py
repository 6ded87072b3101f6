import torch
x = torch.randn(4, 4)
W = torch.randn(4, 4)
y = x @ W
dy = torch.randn(4, 4)
dx = W @ dy
