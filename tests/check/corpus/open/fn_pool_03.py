import torch
import torch.nn.functional as F


class OverlappingMaxPool(torch.autograd.Function):
    # AlexNet style: 3x3 windows, stride 2

    @staticmethod
    def forward(ctx, x):
        y, indices = F.max_pool2d(x, 3, 2, return_indices=True)
        ctx.save_for_backward(indices)
        ctx.size = x.shape
        return y

    @staticmethod
    def backward(ctx, grad):
        indices, = ctx.saved_tensors
        return F.max_unpool2d(grad, indices, 3, 2, output_size=ctx.size)
