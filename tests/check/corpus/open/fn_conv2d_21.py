import torch
import torch.nn.functional as F


class MyConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, img, kernel, stride=1, padding=0):
        kh, kw = kernel.shape[2:]
        img_unf = F.unfold(img, (kh, kw), stride=stride, padding=padding)
        output = kernel.view(kernel.shape[0], -1) @ img_unf
        ctx.save_for_backward(img_unf, kernel, output)
        ctx.cfg = (img.shape[2:], stride, padding)
        h = (img.shape[2] + 2 * padding - kh) // stride + 1
        return output.view(img.shape[0], kernel.shape[0], h, -1)

    @staticmethod
    def backward(ctx, grad_output):
        img_unf, kernel, output = ctx.saved_tensors
        size, stride, padding = ctx.cfg
        grads = grad_output.flatten(2)
        grads_weights = (output @ img_unf.mT).view(-1, *kernel.shape)
        grads_next = kernel.view(kernel.shape[0], -1).T @ grads
        grads_img = F.fold(grads_next, size, kernel.shape[2:], stride=stride, padding=padding)
        return grads_img, grads_weights, None, None
