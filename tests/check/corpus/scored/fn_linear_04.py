import torch


class TokenLinear(torch.autograd.Function):
    """linear layer on (batch, tokens, features)"""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.T

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dx = dy @ w
        dw = dy.transpose(1, 2) @ x
        return dx, dw
