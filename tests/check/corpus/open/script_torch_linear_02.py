import torch

x = torch.randn(7, 4)
W = torch.randn(4, 3)
b = torch.zeros(3)

y = torch.addmm(b, x, W)
dy = torch.randn_like(y)

dW = torch.einsum("bi,bj->ij", x, dy)
db = dy.sum(dim=0)
