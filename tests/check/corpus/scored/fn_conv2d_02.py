import torch
from torch.nn.functional import fold, unfold


class Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, stride=1, padding=0, dilation=1):
        ctx.geo = dict(kernel_size=w.shape[2:], stride=stride, padding=padding, dilation=dilation)
        u = unfold(x, **ctx.geo)
        ctx.save_for_backward(u, w)
        ctx.hw = x.shape[2:]
        y = torch.einsum("ok,nkl->nol", w.flatten(1), u) + b[:, None]
        s, p, d = [v if isinstance(v, tuple) else (v, v) for v in (stride, padding, dilation)]
        oh, ow = [(n + 2 * p[i] - d[i] * (w.shape[2 + i] - 1) - 1) // s[i] + 1 for i, n in enumerate(ctx.hw)]
        return y.unflatten(2, (oh, ow))

    @staticmethod
    def backward(ctx, dy):
        u, w = ctx.saved_tensors
        dy = dy.flatten(2)
        # no rotation by 180 degrees here: fold puts every column entry back where unfold took it from
        dx = fold(torch.einsum("ok,nol->nkl", w.flatten(1), dy), ctx.hw, **ctx.geo)
        dw = torch.einsum("nol,nkl->ok", dy, u).reshape(w.shape)
        return dx, dw, dy.sum((0, 2)), None, None, None
