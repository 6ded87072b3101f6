import torch
import torch.nn.functional as F


class ConvT(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride=1, padding=0):
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv_transpose2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        dx = F.conv2d(dy, weight, None, ctx.stride, ctx.padding)
        cols = F.unfold(dy, weight.shape[2:], stride=ctx.stride, padding=ctx.padding)
        dw = torch.einsum("ncl,nkl->ck", x.flatten(2), cols).view(weight.shape)
        return dx, dw, dy.sum((0, 2, 3)), None, None
