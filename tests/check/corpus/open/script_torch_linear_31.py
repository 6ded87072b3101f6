import torch
x = torch.randn(4, 4)
w = torch.randn(4, 4)
y = torch.relu(x @ w)
dy = torch.randn(4, 4)
dy[y <= 0] = 0
dx = dy @ w.T
dw = x.T @ dy
