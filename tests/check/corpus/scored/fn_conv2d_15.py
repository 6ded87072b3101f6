import torch
import torch.nn.functional as F


class conv_layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, kernel, padding=0):
        x_padded = F.pad(x, (padding, padding, padding, padding))
        ctx.save_for_backward(x_padded, kernel)
        return F.conv2d(x_padded, kernel)

    @staticmethod
    def backward(ctx, grad_out):
        x_padded, kernel = ctx.saved_tensors
        kh, kw = kernel.shape[2], kernel.shape[3]
        grad_padded = F.pad(grad_out, (kw - 1, kw - 1, kh - 1, kh - 1))
        grad_x = F.conv2d(grad_padded, kernel.transpose(0, 1))
        grad_k = torch.zeros_like(kernel)
        oh, ow = grad_out.shape[2:]
        for i in range(kh):
            for j in range(kw):
                patch = x_padded[:, :, i:i + oh, j:j + ow]
                grad_k[:, :, i, j] = torch.einsum("nohw,nchw->oc", grad_out, patch)
        return grad_x, grad_k, None
