import torch
import torch.nn.functional as F


class UpConv(torch.autograd.Function):
    """Upsampling by a learned transposed convolution (U-Net decoder)."""

    @staticmethod
    def forward(ctx, x, weight, stride=2):
        n, c, h, w = x.shape
        _, o, kh, kw = weight.shape
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        out = x.new_zeros(n, o, (h - 1) * stride + kh, (w - 1) * stride + kw)
        for i in range(kh):
            for j in range(kw):
                out[:, :, i:i + h * stride:stride, j:j + w * stride:stride][:, :, :h, :w] += torch.einsum(
                    "nchw,co->nohw", x, weight[:, :, i, j])
        return out

    @staticmethod
    def backward(ctx, grad_out):
        x, weight = ctx.saved_tensors
        h, w = x.shape[2:]
        s = ctx.stride
        kh, kw = weight.shape[2:]
        grad_w = torch.empty_like(weight)
        for i in range(kh):
            for j in range(kw):
                tap = grad_out[:, :, i::s, j::s][:, :, :h, :w]
                grad_w[:, :, i, j] = torch.einsum("nchw,nohw->co", x, tap)
        grad_w = torch.rot90(grad_w, 2, dims=(2, 3))
        return F.conv2d(grad_out, weight, stride=s), grad_w, None
