import torch
import torch.nn.functional as F
from torch.autograd import Function


class Im2ColConv(Function):
    @staticmethod
    def forward(ctx, inp, weight, stride=1, padding=0):
        B = inp.shape[0]
        O, C, kh, kw = weight.shape
        oh = (inp.shape[2] + 2 * padding - kh) // stride + 1
        ow = (inp.shape[3] + 2 * padding - kw) // stride + 1
        inp_col = F.unfold(inp, (kh, kw), padding=padding, stride=stride)
        w_col = weight.reshape(O, -1)
        ctx.save_for_backward(inp_col, w_col)
        ctx.meta = inp.shape[2:], (kh, kw), stride, padding
        return (w_col @ inp_col).reshape(B, O, oh, ow)

    @staticmethod
    def backward(ctx, grad):
        inp_col, w_col = ctx.saved_tensors
        hw, k, stride, padding = ctx.meta
        grad = grad.flatten(start_dim=2)
        d_col = w_col.T @ grad
        d_inp = F.fold(d_col, hw, k, padding=padding, stride=stride)
        d_weight = grad @ inp_col.mT
        return d_inp, d_weight, None, None
