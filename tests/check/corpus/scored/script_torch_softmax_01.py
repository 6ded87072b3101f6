import torch

z = torch.randn(5, 7)
p = torch.exp(z) / torch.exp(z).sum(dim=1, keepdim=True)

dp = torch.randn(5, 7)
dz = dp * p * (1 - p)
