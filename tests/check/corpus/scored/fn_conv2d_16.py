import torch
import torch.nn.functional as F
from torch.nn.grad import conv2d_input, conv2d_weight


class CheckpointedConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        ctx.save_for_backward(input, weight)
        ctx.has_bias = bias is not None
        ctx.conv_args = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        return F.conv2d(input, weight, bias, **ctx.conv_args)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        gi = gw = gb = None
        if ctx.needs_input_grad[0]:
            gi = conv2d_input(input.shape, weight, grad_output, **ctx.conv_args)
        if ctx.needs_input_grad[1]:
            gw = conv2d_weight(input, weight.shape, grad_output, **ctx.conv_args)
        if ctx.has_bias and ctx.needs_input_grad[2]:
            gb = grad_output.sum((0, 2, 3))
        return gi, gw, gb, None, None, None, None
