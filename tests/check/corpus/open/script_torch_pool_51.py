import torch
x, w = torch.randn(3, 2, 5, 5), torch.randn(4, 2, 3, 3)
u = torch.nn.functional.unfold(x, 3)
out = w.view(4, -1) @ u
g = torch.randn(3, 4, 9)
gw = u @ g.transpose(1, 2)
