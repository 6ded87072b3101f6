import torch


class Conv2dManual(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight, bias, stride=1):
        ctx.stride = stride
        ctx.save_for_backward(input, weight, bias)
        return torch.nn.functional.conv2d(input, weight, bias, stride=stride)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_weight = torch.nn.grad.conv2d_weight(input, weight.shape, grad_output, stride=ctx.stride)
        grad_input = torch.nn.grad.conv2d_input(input.shape, weight, grad_output, stride=ctx.stride)
        grad_bias = grad_output.sum(dim=(0, 2, 3))
        return grad_weight, grad_input, grad_bias, None
