import torch
import torch.nn.functional as F
class MyConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return F.conv2d(x, w)
    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        N, C, H, W = x.shape
        O, _, kh, kw = w.shape
        cols = w.view(O, -1).t() @ g.flatten(2)
        dx = F.fold(cols, (W, H), (kw, kh))
        gw = (g.flatten(2) @ F.unfold(x, (kh, kw)).transpose(1, 2)).sum(0).view_as(w)
        return dx, gw
