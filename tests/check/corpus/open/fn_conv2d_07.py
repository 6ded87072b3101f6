import torch
import torch.nn.functional as F


def pair(v):
    return v if isinstance(v, (tuple, list)) else (v, v)


class Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride=1, padding=0, dilation=1):
        ctx.save_for_backward(x, weight)
        ctx.args = (pair(stride), pair(padding), pair(dilation))
        return F.conv2d(x, weight, bias, *ctx.args)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.args
        kh, kw = weight.shape[2:]
        left_over = []
        for i in range(2):
            reached = (grad.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (weight.shape[2 + i] - 1) + 1
            left_over.append(x.shape[2 + i] - reached)
        if max(left_over[0] - stride[0], left_over[1] - stride[1]) >= 0:
            raise NotImplementedError(left_over)
        dx = F.conv_transpose2d(grad, weight, stride=stride, padding=padding, output_padding=tuple(left_over), dilation=dilation)
        # the roles change: what was the stride is now the dilation, and the other way round
        dw = F.conv2d(x.transpose(0, 1), grad.transpose(0, 1), stride=dilation, padding=padding, dilation=stride)
        dw = dw.transpose(0, 1)[:, :, :kh, :kw]
        return dx, dw, grad.sum((0, 2, 3)), None, None, None
