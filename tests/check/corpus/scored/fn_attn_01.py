import math

import torch


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        attn = scores.softmax(dim=-1)
        ctx.save_for_backward(q, k, v, attn)
        return attn @ v

    @staticmethod
    def backward(ctx, dout):
        q, k, v, attn = ctx.saved_tensors
        dv = attn.transpose(-2, -1) @ dout
        dattn = dout @ v.transpose(-2, -1)
        dscores = attn * (dattn - (dattn * attn).sum(-1, keepdim=True))
        dq = dscores @ k
        dk = dscores.transpose(-2, -1) @ q
        return dq, dk, dv
