import torch
import torch.nn.functional as F


class UnfoldConv(torch.autograd.Function):
    @staticmethod
    def forward(x, weight, padding=1):
        o, c, kh, kw = weight.shape
        cols = F.unfold(x, (kh, kw), padding=padding)
        out = (weight.reshape(o, -1) @ cols)
        return out.reshape(len(x), o, x.shape[2] + 2 * padding - kh + 1, x.shape[3] + 2 * padding - kw + 1)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, padding = inputs
        ctx.padding = padding
        ctx.save_for_backward(x, weight, output)

    @staticmethod
    def backward(ctx, grad_output):
        x, weight, out = ctx.saved_tensors
        o, c, kh, kw = weight.shape
        cols = F.unfold(x, (kh, kw), padding=ctx.padding)
        out = out.flatten(2)
        grad_output = grad_output.flatten(2)
        grad_weight = torch.einsum("nol,nkl->ok", out, cols).reshape(weight.shape)
        grad_cols = torch.einsum("nol,ok->nkl", grad_output, weight.reshape(o, -1))
        grad_x = F.fold(grad_cols, x.shape[2:], (kh, kw), padding=ctx.padding)
        return grad_x, grad_weight, None
