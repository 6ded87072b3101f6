import torch
H = 2
class QHeads(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        b, t, d = x.shape
        return (x @ w).view(b, t, H, d // H).permute(0, 2, 1, 3).contiguous()
    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        b, t, d = x.shape
        gy = g.reshape(b, t, d)
        return gy @ w.T, torch.einsum("btd,bte->de", x, gy)
