import torch
x = torch.randn(2, 3, 4, 5)
y = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
gy = torch.randn(2, 3, 8, 10)
gx = gy.view(2, 3, 4, 2, 5, 2).mean((3, 5))
