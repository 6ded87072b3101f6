import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 14)
w = torch.randn(4, 3, 3)
y = F.conv1d(x, w, dilation=2, padding=2)
gy = torch.randn(2, 4, 14)
gx = F.conv_transpose1d(gy, w, padding=1)
