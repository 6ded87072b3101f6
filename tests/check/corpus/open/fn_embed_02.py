import torch


class EmbeddingLookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, idx, table):
        ctx.save_for_backward(idx)
        ctx.table_shape = table.shape
        return table.index_select(0, idx)

    @staticmethod
    def backward(ctx, grad):
        idx, = ctx.saved_tensors
        out = torch.zeros(ctx.table_shape, dtype=grad.dtype)
        out.index_add_(0, idx, grad)
        return None, out


def example_inputs():
    return torch.tensor([5, 0, 3, 5, 5, 1]), torch.randn(8, 4)
