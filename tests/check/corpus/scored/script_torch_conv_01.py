import torch

torch.manual_seed(0)
img = torch.randn(1, 1, 12, 10)
kernel = torch.randn(1, 1, 3, 3)

img_unfolded = torch.nn.functional.unfold(img, 3, padding=1)
output = kernel.view(1, -1) @ img_unfolded
grads_output = torch.randn(1, 1, 120)

grads_weights = img_unfolded.T @ grads_output
print(grads_weights.shape)
