import torch

IDX = torch.tensor([1, 4, 1, 6, 0, 4])

class Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table):
        ctx.n = table.shape[0]
        return table[IDX]

    @staticmethod
    def backward(ctx, g):
        out = g.new_zeros(ctx.n, g.shape[1])
        out[IDX] = g
        return out
