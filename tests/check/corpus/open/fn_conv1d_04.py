import torch


class Conv1dUnfold(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, stride=1):
        k = weight.size(2)
        windows = x.unfold(2, k, stride)                # (N, C, L, k)
        ctx.save_for_backward(windows, weight)
        ctx.length = x.size(2)
        return torch.einsum("nclk,ock->nol", windows, weight)

    @staticmethod
    def backward(ctx, grad_y):
        windows, weight = ctx.saved_tensors
        k = weight.size(2)
        grad_w = torch.einsum("nol,nclk->ock", grad_y, windows)
        grad_windows = torch.einsum("nol,ock->nclk", grad_y, weight)
        n, c, L, _ = grad_windows.shape
        grad_x = grad_y.new_zeros(n, c, ctx.length)
        for l in range(L):
            grad_x[:, :, l:l + k] += grad_windows[:, :, l]
        return grad_x, grad_w, None
