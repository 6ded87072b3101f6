import torch
class PReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, a):
        ctx.save_for_backward(x, a)
        return x.clamp(min=0) + a[None, :, None] * x.clamp(max=0)
    @staticmethod
    def backward(ctx, g):
        x, a = ctx.saved_tensors
        gx = torch.where(x > 0, g, g * a[None, :, None])
        ga = (g * x).sum((0, 2))
        return gx, ga
