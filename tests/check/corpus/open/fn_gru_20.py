import torch


class GRUCell(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h, Wz, Wr, Wc):
        hx = torch.cat([h, x], 1)
        z = torch.sigmoid(hx @ Wz)
        r = torch.sigmoid(hx @ Wr)
        rx = torch.cat([r * h, x], 1)
        c = torch.tanh(rx @ Wc)
        ctx.save_for_backward(h, hx, z, r, rx, c, Wz, Wr, Wc)
        return (1 - z) * h + z * c

    @staticmethod
    def backward(ctx, g):
        h, hx, z, r, rx, c, Wz, Wr, Wc = ctx.saved_tensors
        H = h.shape[1]
        dc = g * z * (1 - c**2)
        dz = g * (c - h) * z * (1 - z)
        drx = dc @ Wc.T
        dr = drx[:, :H] * h * r
        dhx = dz @ Wz.T + dr @ Wr.T
        dh = g * (1 - z) + drx[:, :H] * r + dhx[:, :H]
        dx = drx[:, H:] + dhx[:, H:]
        return dx, dh, hx.T @ dz, hx.T @ dr, rx.T @ dc
