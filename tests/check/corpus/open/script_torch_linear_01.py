import torch

x = torch.randn(16, 10)
W = torch.randn(5, 10)
b = torch.randn(5)
y = x @ W.t() + b

dy = torch.randn(16, 5)
dx = dy @ W
dW = x.t() @ dy
db = dy.sum(0)

print(dW.shape, W.shape)      # why are they different?
