import torch


class SelfAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, Wq, Wk, Wv):
        q, k, v = x @ Wq, x @ Wk, x @ Wv
        s = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        p = torch.softmax(s, -1)
        ctx.save_for_backward(x, Wq, Wk, Wv, q, k, v, p)
        return p @ v

    @staticmethod
    def backward(ctx, g):
        x, Wq, Wk, Wv, q, k, v, p = ctx.saved_tensors
        dv = p.transpose(-2, -1) @ g
        dp = g @ v.transpose(-2, -1)
        ds = p * (1 - p) * dp / q.shape[-1] ** 0.5
        dq = ds @ k
        dk = ds.transpose(-2, -1) @ q
        xt = x.transpose(-2, -1)
        dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
        return dx, (xt @ dq).sum(0), (xt @ dk).sum(0), (xt @ dv).sum(0)
