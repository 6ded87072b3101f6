import torch
import torch.nn.functional as F

x = torch.randn(2, 3, 8, 6)
w = torch.randn(4, 3, 3, 3)
b = torch.randn(4)

x_pad = F.pad(x, (1, 1, 1, 1))
y = F.conv2d(x_pad, w, b)

dy = torch.randn(2, 4, 8, 6)
dx = F.conv_transpose2d(dy, w)
db = dy.sum()
