import torch
x = torch.randn(6, 4)
w1 = torch.randn(4, 5)
w2 = torch.randn(5, 3)
h = x @ w1
n = h - h.mean(1, keepdim=True)
y = n @ w2
dy = torch.randn(6, 3)
dn = dy @ w2.T
dh = dn - dn.mean(0, keepdim=True)
dw1 = dh.T @ x
