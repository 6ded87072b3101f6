import torch


class L1(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pred, target):
        ctx.save_for_backward(pred, target)
        return (pred - target).abs().mean()

    @staticmethod
    def backward(ctx, g):
        pred, target = ctx.saved_tensors
        s = torch.sign(target - pred) / pred.numel()
        return g * s, -g * s
