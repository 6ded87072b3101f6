import torch

x = torch.randn(3, 6, 4)                   # batch, time, features
W = torch.randn(5, 4)
y = x @ W.T

dy = torch.randn(3, 6, 5)

dW = torch.tensordot(dy, x, dims=([0, 1], [0, 1]))
dx = torch.tensordot(W.T, dy.permute(2, 1, 0), dims=1)
print(dx.shape, "should be", x.shape)
