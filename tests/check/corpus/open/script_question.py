import torch

img = torch.randn(1, 1, 28, 28)
kernel = torch.randn(1, 1, 3, 3)

unfold = torch.nn.Unfold(3, padding=1)
img_unfolded = unfold(img)                                  # (1, 9, 784)
output = kernel.view(1, -1).matmul(img_unfolded)            # (1, 1, 784)

# gradients coming from the next layer
grads_output = torch.randn(1, 1, 784)

grads_weights = img_unfolded.T.matmul(output)
print(grads_weights.shape)          # (784, 9, 784) ???

grads_next_layer = kernel.view(1, -1).T.matmul(grads_output)
print(grads_next_layer.shape)       # (1, 9, 784), as I expect it
