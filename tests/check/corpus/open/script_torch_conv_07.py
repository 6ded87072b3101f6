import torch
import torch.nn.functional as F

image = torch.randn(3, 2, 7, 8)
filters = torch.randn(4, 2, 2, 2)

columns = F.unfold(image, 2)                             # (3, 8, 42)
output = filters.view(4, -1) @ columns
grad_output = torch.randn(3, 4, 42)

grad_filters = (output @ columns.mT).sum(0).view(4, 2, 2, 2)
