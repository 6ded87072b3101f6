import torch
import torch.nn.functional as F
from torch.autograd import Function


class MyConv2d(Function):
    """conv2d as unfold + matmul"""

    @staticmethod
    def forward(ctx, input, weight, bias, stride=1, padding=0):
        n, c, h, w = input.shape
        o, _, kh, kw = weight.shape
        cols = F.unfold(input, (kh, kw), stride=stride, padding=padding)
        out = weight.view(o, -1) @ cols + bias.view(1, -1, 1)
        oh = (h + 2 * padding - kh) // stride + 1
        ow = (w + 2 * padding - kw) // stride + 1
        ctx.save_for_backward(cols, weight)
        ctx.in_size = (h, w)
        ctx.conf = (stride, padding)
        return out.view(n, o, oh, ow)

    @staticmethod
    def backward(ctx, grad_output):
        cols, weight = ctx.saved_tensors
        stride, padding = ctx.conf
        n = grad_output.size(0)
        o, c, kh, kw = weight.shape
        g = grad_output.reshape(n, o, -1)

        grad_cols = weight.view(o, -1).t() @ g
        grad_input = F.fold(grad_cols, ctx.in_size, (kh, kw), stride=stride, padding=padding)
        grad_weight = torch.bmm(g, cols.transpose(1, 2)).view(n, o, c, kh, kw)
        grad_bias = g.sum(dim=(0, 2))
        return grad_input, grad_weight, grad_bias, None, None
