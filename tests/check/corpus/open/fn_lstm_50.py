import torch
class LSTMCell(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h, c, W, b):
        z = torch.cat([x, h], 1) @ W + b
        i, f, o, g = z.chunk(4, 1)
        i, f, o, g = i.sigmoid(), f.sigmoid(), o.sigmoid(), g.tanh()
        c1 = f * c + i * g
        ctx.save_for_backward(x, h, c, W, i, f, o, g, c1)
        return o * torch.tanh(c1)
    @staticmethod
    def backward(ctx, dh1):
        x, h, c, W, i, f, o, g, c1 = ctx.saved_tensors
        tc = c1.tanh()
        dc1 = dh1 * o * (1 - tc * tc)
        dz = torch.cat([dc1 * g * i * (1 - i), dc1 * c * f, dh1 * tc * o * (1 - o), dc1 * i * (1 - g * g)], 1)
        dxh = dz @ W.T
        return dxh[:, :x.shape[1]], dxh[:, x.shape[1]:], dc1 * f, torch.cat([x, h], 1).T @ dz, dz.sum(0)
