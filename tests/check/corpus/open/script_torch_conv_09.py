import torch

signal = torch.randn(20)
kernel = torch.randn(4)

windows = signal.unfold(0, 4, 1)          # 17 x 4
out = windows @ kernel

grad = torch.randn(17)
dkernel = windows.T @ grad
dsignal = torch.outer(grad, kernel)
