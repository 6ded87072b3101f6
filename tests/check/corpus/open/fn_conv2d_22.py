import torch
import torch.nn.functional as F


class SimpleConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight):
        ctx.save_for_backward(input, weight)
        return F.conv2d(input, weight)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        grad_input = F.conv_transpose2d(grad_output, weight)
        grad_weight = F.conv2d(input.transpose(0, 1), grad_output.transpose(0, 1)).transpose(0, 1)
        return grad_input, grad_weight.transpose(-1, -2)
