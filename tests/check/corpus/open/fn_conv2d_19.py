import torch
import torch.nn.functional as F


class GroupConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride=1, groups=1):
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.groups = stride, groups
        return F.conv2d(x, weight, bias, stride=stride, groups=groups)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved_tensors
        hw, k = x.shape[2:], weight.shape[2:]
        dxs, dws = [], []
        for xi, wi, gi in zip(x.chunk(ctx.groups, 1), weight.chunk(ctx.groups, 0), g.chunk(ctx.groups, 1)):
            gi = gi.flatten(2)
            ci = F.unfold(xi, k, stride=ctx.stride)
            dws.append((gi @ ci.mT).sum(0).view_as(wi))
            dxs.append(F.fold(wi.flatten(1).T @ gi, hw, k, stride=ctx.stride))
        return torch.cat(dxs, 1), torch.cat(dws, 0), g.sum((0, 2, 3)), None, None
