import torch
import torch.nn.functional as F


class Conv1dFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return F.conv1d(x, w, b)

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        k = w.shape[-1]
        # input gradient: full convolution, kernel flipped
        gx = F.conv1d(F.pad(grad, (k - 1, k - 1)), w.flip(-1).transpose(0, 1))
        # weight gradient: valid convolution of the input with grad, flipped as well
        gw = F.conv1d(x.transpose(0, 1), grad.transpose(0, 1)).transpose(0, 1).flip(-1)
        gb = grad.sum(dim=2).sum(dim=0)
        return gx, gw, gb
