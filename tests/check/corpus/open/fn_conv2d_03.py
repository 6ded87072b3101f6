import torch
import torch.nn as nn


class Conv2dFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, padding=0):
        k = w.shape[2:]
        x_unf = nn.Unfold(k, padding=padding)(x)
        ctx.save_for_backward(x_unf, w)
        out = x_unf.transpose(1, 2).matmul(w.view(w.size(0), -1).t()).transpose(1, 2)
        H = x.shape[2] + 2 * padding - k[0] + 1
        W = x.shape[3] + 2 * padding - k[1] + 1
        return out.reshape(x.size(0), w.size(0), H, W)

    @staticmethod
    def backward(ctx, grad):
        x_unf, w = ctx.saved_tensors
        grad = grad.flatten(2)
        grad_w = grad.matmul(x_unf.transpose(1, 2)).sum(0).view_as(w)
        grad_x = w.view(w.size(0), -1).t().matmul(grad)
        return grad_x, grad_w, None
