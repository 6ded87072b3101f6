import torch
import torch.nn.functional as F


class GroupedConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, groups=1):
        ctx.save_for_backward(x, weight)
        ctx.groups = groups
        return F.conv2d(x, weight, bias, groups=groups)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved_tensors
        dx = F.conv_transpose2d(g, weight, groups=ctx.groups)
        dw = F.conv2d(x.transpose(0, 1), g.transpose(0, 1)).transpose(0, 1)
        db = g.sum((0, 2, 3))
        return dx, dw, db, None
