import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 8, 8)
y = F.avg_pool2d(x, 2)
dy = torch.randn(2, 3, 4, 4)
dx = dy.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
