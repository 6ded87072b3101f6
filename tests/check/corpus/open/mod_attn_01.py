import torch
import torch.nn as nn


class SelfAttention(nn.Module):
    def __init__(self, d=4, h=5):
        super().__init__()
        self.Wq = nn.Parameter(torch.randn(d, h))
        self.Wk = nn.Parameter(torch.randn(d, h))
        self.Wv = nn.Parameter(torch.randn(d, h))

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = x @ self.Wq, x @ self.Wk, x @ self.Wv
        self.a = torch.softmax(self.q @ self.k.mT / self.q.size(-1) ** 0.5, -1)
        return self.a @ self.v

    @torch.no_grad()
    def backward(self, g):
        dv = self.a.mT @ g
        da = g @ self.v.mT
        ds = self.a * (da - (da * self.a).sum(-1, keepdim=True)) / self.q.size(-1) ** 0.5
        dq, dk = ds @ self.k, ds.mT @ self.q
        for p, d in ((self.Wq, dq), (self.Wk, dk), (self.Wv, dv)):
            p.grad = torch.einsum("bti,bto->io", self.x, d)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T
