import torch
class PixelShuffle2(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        N, C, H, W = x.shape
        ctx.s = x.shape
        return x.reshape(N, C//4, 2, 2, H, W).permute(0, 1, 4, 2, 5, 3).reshape(N, C//4, 2*H, 2*W)
    @staticmethod
    def backward(ctx, g):
        return g.reshape(ctx.s)
