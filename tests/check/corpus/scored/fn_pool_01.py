import torch
import torch.nn.functional as F


class MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, kernel_size=2, stride=2):
        ctx.k = kernel_size
        ctx.stride = stride
        ctx.save_for_backward(x)
        return F.max_pool2d(x, kernel_size, stride)

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        n, c, oh, ow = g.shape
        k, s = ctx.k, ctx.stride
        dx = torch.zeros_like(x)
        for i in range(oh):
            for j in range(ow):
                dx[:, :, i * s:i * s + k, j * s:j * s + k] += g[:, :, i, j][:, :, None, None]
        return dx, None, None
