import torch

img = torch.randn(2, 1, 9, 8)
kernel = torch.randn(1, 1, 3, 3)

img_unfolded = torch.nn.Unfold(3, padding=1)(img)
output = kernel.view(1, -1) @ img_unfolded
grads_output = torch.randn(2, 1, 72)

grads_weights = (grads_output @ img_unfolded.transpose(1, 2)).sum(0).view_as(kernel)
grads_img = torch.nn.Fold((9, 8), 3, padding=1)(kernel.view(1, -1).t() @ grads_output)
