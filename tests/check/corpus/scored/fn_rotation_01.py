import torch


class ComposeRotations(torch.autograd.Function):
    """R = R1 R2 for a batch of 3x3 matrices"""

    @staticmethod
    def forward(ctx, R1, R2):
        ctx.save_for_backward(R1, R2)
        return R1 @ R2

    @staticmethod
    def backward(ctx, G):
        R1, R2 = ctx.saved_tensors
        dR1 = R2.transpose(-1, -2) @ G
        dR2 = R1.transpose(-1, -2) @ G
        return dR1, dR2
