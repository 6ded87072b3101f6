import torch


class ScaledDotProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        ctx.scale = q.shape[-1] ** -0.5
        p = torch.softmax(torch.einsum("...id,...jd->...ij", q, k) * ctx.scale, -1)
        ctx.save_for_backward(q, k, v, p)
        return torch.einsum("...ij,...jd->...id", p, v)

    @staticmethod
    def backward(ctx, do):
        q, k, v, p = ctx.saved_tensors
        dv = torch.einsum("...ij,...id->...jd", p, do)
        dp = torch.einsum("...id,...jd->...ij", do, v)
        ds = dp * p * (1 - p) * ctx.scale
        dq = torch.einsum("...ij,...jd->...id", ds, k)
        dk = torch.einsum("...ij,...id->...jd", ds, q)
        return dq, dk, dv
