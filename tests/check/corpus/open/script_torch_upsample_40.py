import torch
x = torch.randn(2, 3, 4, 5)
y = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
dy = torch.randn(2, 3, 8, 10)
dx = dy[:, :, ::2, ::2]
