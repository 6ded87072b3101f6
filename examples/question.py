"""The question's own line, wrong and right, beside autograd and the function that does it for every convolution."""

import torch

import handgrad as hg

torch.manual_seed(0)
img, kernel = torch.randn(1, 1, 28, 28), torch.randn(1, 1, 3, 3)
img_unfolded = torch.nn.Unfold(3, padding=1)(img)  # (1, 9, 784)
output = kernel.view(1, -1) @ img_unfolded  # (1, 9) @ (1, 9, 784) = (1, 1, 784)
grads_output = torch.randn_like(output)
grad_output = grads_output.view(1, 1, 28, 28)

# The line that was asked about: all axes reversed, the wrong operand, the wrong order, no sum over the batch.
print("asked  ", tuple((img_unfolded.permute(2, 1, 0) @ output).shape))

# The line that is right, and the image's gradient, which needs the columns folded back.
grads_weights = (grads_output @ img_unfolded.mT).sum(0).view_as(kernel)  # (1, 1, 784) @ (1, 784, 9) = (1, 1, 9)
grads_columns = kernel.view(1, -1).T @ grads_output  # (9, 1) @ (1, 1, 784) = (1, 9, 784)
grads_img = torch.nn.Fold((28, 28), 3, padding=1)(grads_columns)
print("right  ", tuple(grads_weights.shape), tuple(grads_img.shape))

x, w = img.requires_grad_(), kernel.requires_grad_()
torch.conv2d(x, w, padding=1).backward(grad_output)
torch.testing.assert_close(grads_weights, w.grad, rtol=1e-4, atol=1e-4)
torch.testing.assert_close(grads_img, x.grad, rtol=1e-4, atol=1e-4)

torch.testing.assert_close(hg.conv2d_weight(img, kernel.shape, grad_output, padding=1), w.grad, rtol=1e-4, atol=1e-4)
torch.testing.assert_close(hg.conv2d_input(img.shape, kernel, grad_output, padding=1), x.grad, rtol=1e-4, atol=1e-4)
print("handgrad, autograd and the lines by hand agree")
