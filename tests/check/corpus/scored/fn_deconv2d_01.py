import torch
import torch.nn.functional as F


class Deconv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride=1):
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv_transpose2d(x, weight, bias, stride=stride)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        kh, kw = weight.shape[2:]
        dx = F.conv2d(dy, weight, stride=ctx.stride)
        patches = dy.unfold(2, kh, ctx.stride).unfold(3, kw, ctx.stride)     # N O h w kh kw
        dw = torch.einsum("nohwij,nchw->ocij", patches, x)
        db = dy.sum((0, 2, 3))
        return dx, dw, db, None
