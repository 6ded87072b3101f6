import torch
class Space2Depth(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        n, c, h, w = x.shape
        ctx.sh = x.shape
        return x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, w // 2)
    @staticmethod
    def backward(ctx, g):
        n, c, h, w = ctx.sh
        g = g.view(n, c, 2, 2, h // 2, w // 2)
        return g.permute(0, 1, 4, 2, 5, 3).reshape(n, c, h, w)
