import torch
import torch.nn.functional as F


class Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride=1, padding=0, dilation=1):
        ctx.save_for_backward(x, weight)
        ctx.args = (stride, padding, dilation)
        return F.conv2d(x, weight, bias, stride, padding, dilation)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.args
        kh, kw = weight.shape[2:]
        dx = torch.nn.grad.conv2d_input(x.shape, weight, grad, stride, padding, dilation)
        # swap batch and channels, the gradient is the kernel
        dw = F.conv2d(x.transpose(0, 1), grad.transpose(0, 1), stride=stride, padding=padding, dilation=dilation)
        dw = dw.transpose(0, 1)[:, :, :kh, :kw]
        return dx, dw, grad.sum((0, 2, 3)), None, None, None
