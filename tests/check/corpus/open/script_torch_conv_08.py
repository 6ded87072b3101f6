import torch
import torch.nn.functional as F

x = torch.randn(6, 2, 9, 7)
w = torch.randn(3, 2, 3, 3)

cols = F.unfold(x, 3, padding=1, stride=2)
out = w.flatten(1) @ cols                                # 6, 3, 20

gout = torch.randn(6, 3, 20)

gw = torch.einsum("nol,nkl->nok", gout, cols).mean(0).view(3, 2, 3, 3)
gx = F.fold(w.flatten(1).T @ gout, (9, 7), 3, padding=1, stride=2)
