import torch


class FlashLike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        scale = q.shape[-1] ** -0.5
        s = q @ k.mT * scale
        lse = s.logsumexp(-1, keepdim=True)
        o = (s - lse).exp() @ v
        ctx.save_for_backward(q, k, v, o, lse)
        ctx.scale = scale
        return o

    @staticmethod
    def backward(ctx, do):
        q, k, v, o, lse = ctx.saved_tensors
        p = (q @ k.mT * ctx.scale - lse).exp()      # recomputed
        delta = (do * o).sum(-1, keepdim=True)
        ds = p * (do @ v.mT - delta)
        return ctx.scale * ds @ k, ctx.scale * ds.mT @ q, p.mT @ do
