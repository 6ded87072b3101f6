import torch
from torch import nn

img = torch.rand(4, 1, 10, 9)
kernel = torch.rand(1, 1, 3, 3)
unfolded = nn.Unfold(kernel_size=(3, 3))(img)

output = kernel.reshape(1, 9).matmul(unfolded)
grads_output = torch.rand(4, 1, 56) - 0.5

grads_kernel = grads_output.matmul(unfolded.permute(0, 2, 1)).sum(dim=0)
