import torch
import torch.nn.functional as F


class Conv1d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, stride=1, dilation=1):
        ctx.save_for_backward(x, w)
        ctx.sd = stride, dilation
        return F.conv1d(x, w, stride=stride, dilation=dilation)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        s, d = ctx.sd
        dx = torch.nn.grad.conv1d_input(x.shape, w, g, stride=s, dilation=d)
        dw = F.conv1d(x.transpose(0, 1), g.transpose(0, 1), stride=s, dilation=d).transpose(0, 1)
        return dx, dw[..., :w.shape[-1]], None, None
