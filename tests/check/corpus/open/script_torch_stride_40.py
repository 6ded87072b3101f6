import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 9, 9)
w = torch.randn(4, 3, 3, 3)
y = F.conv2d(x, w, stride=2)
gy = torch.randn(2, 4, 4, 4)
gx = F.conv_transpose2d(gy, w)
gx = F.pad(gx, (0, 3, 0, 3))
