import torch
import torch.nn.functional as F

img = torch.randn(2, 1, 9, 11)
kernel = torch.randn(1, 1, 3, 3)

img_unfolded = F.unfold(img, kernel_size=3, padding=1)        # 2 x 9 x 99
output = kernel.view(1, -1) @ img_unfolded                    # 2 x 1 x 99
grads_output = torch.randn(2, 1, 99)

grads_weights = (output @ img_unfolded.transpose(1, 2)).sum(0)
grads_img = kernel.view(1, -1).t() @ grads_output
