import torch
import torch.nn.functional as F


class ConvOp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight, bias, padding=0):
        ctx.save_for_backward(input, weight)
        ctx.padding = padding
        return F.conv2d(input, weight, bias, padding=padding)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        batch_size = input.size(0)
        grad_input = F.conv_transpose2d(grad_output, weight, padding=ctx.padding)
        unfolded = F.unfold(input, kernel_size=weight.shape[2:], padding=ctx.padding)
        delta = grad_output.reshape(batch_size, weight.size(0), -1)
        grad_weight = (delta @ unfolded.permute(0, 2, 1)).mean(dim=0).reshape(weight.size())
        grad_bias = delta.sum(dim=(0, 2))
        return grad_input, grad_weight, grad_bias, None
