import torch
import torch.nn.functional as F


class ConvFunction(torch.autograd.Function):

    @staticmethod
    def forward(ctx, input, weight, bias, padding=0):
        ctx.save_for_backward(input, weight)
        ctx.padding = padding
        return F.conv2d(input, weight, bias, padding=padding)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        p = ctx.padding
        kh, kw = weight.shape[-2:]

        # dL/dX is a full convolution of the output gradient with the filters
        w_t = weight.transpose(0, 1)
        grad_input = F.conv2d(grad_output, w_t, padding=(kh - 1, kw - 1))
        grad_input = grad_input[:, :, p:p + input.shape[2], p:p + input.shape[3]]

        # dL/dW: input (channels as batch) with the output gradient as kernel
        grad_weight = F.conv2d(input.transpose(0, 1), grad_output.transpose(0, 1), padding=p).transpose(0, 1)
        grad_bias = grad_output.sum((0, 2, 3))
        return grad_input, grad_weight, grad_bias, None
