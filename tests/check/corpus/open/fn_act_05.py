import torch


class ReluFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx, grad_output):
        x, = ctx.saved_tensors
        local = grad_output.clone()
        local[x <= 0] = 0
        return grad_output * local
