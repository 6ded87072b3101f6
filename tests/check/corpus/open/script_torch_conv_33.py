import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 8, 8)
w = torch.randn(5, 3, 3, 3)
y = F.conv2d(x, w, padding=1)
dy = torch.randn(2, 5, 8, 8)
dx = F.conv2d(dy, w.flip(-1).permute(1, 0, 2, 3), padding=1)
dw = torch.nn.grad.conv2d_weight(x, w.shape, dy, padding=1)
