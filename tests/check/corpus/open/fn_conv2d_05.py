import torch
import torch.nn.functional as F
from torch.autograd import Function


class StridedConv(Function):
    @staticmethod
    def forward(ctx, input, weight, bias, stride=1, padding=0):
        ctx.save_for_backward(input, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(input, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        grad_input = F.conv_transpose2d(grad_output, weight, stride=ctx.stride, padding=ctx.padding)
        cols = F.unfold(input, weight.shape[2:], stride=ctx.stride, padding=ctx.padding)
        grad_weight = torch.einsum("nol,nkl->ok", grad_output.flatten(2), cols).view_as(weight)
        return grad_input, grad_weight, grad_output.sum(dim=[0, 2, 3]), None, None
