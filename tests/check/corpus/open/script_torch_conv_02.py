import torch
import torch.nn.functional as F

img = torch.randn(3, 2, 8, 7)
weight = torch.randn(4, 2, 3, 3)

img_col = F.unfold(img, kernel_size=3)                   # 3 x 18 x 30
out = torch.matmul(weight.view(4, 18), img_col)         # 3 x 4 x 30
out = out.view(3, 4, 6, 5)

grad_out = torch.randn(3, 4, 6, 5)
g = grad_out.view(3, 4, 30)
grad_weight = torch.matmul(g, img_col.transpose(1, 2)).view(3, 4, 2, 3, 3)
grad_img = F.fold(torch.matmul(weight.view(4, 18).t(), g), output_size=(8, 7), kernel_size=3)

print(grad_weight.shape, grad_img.shape)
