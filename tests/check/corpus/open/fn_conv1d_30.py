import torch
class Conv1d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return torch.nn.functional.conv1d(x, w)
    @staticmethod
    def backward(ctx, gy):
        x, w = ctx.saved_tensors
        K = w.shape[-1]; L = gy.shape[-1]
        gx = torch.zeros_like(x)
        gw = torch.zeros_like(w)
        for k in range(K):
            gx[:, :, k:k+L] += torch.einsum('nol,oc->ncl', gy, w[:, :, -k-1])
            gw[:, :, k] = torch.einsum('nol,ncl->oc', gy, x[:, :, k:k+L])
        return gx, gw
