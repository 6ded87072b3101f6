import torch


class LeakyClip(torch.autograd.Function):
    """leaky relu with protection against exploding gradients"""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x > 0, x, 0.1 * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, = ctx.saved_tensors
        grad_input = torch.where(x > 0, grad_output, 0.1 * grad_output)
        return grad_input.clamp(-1, 1)
