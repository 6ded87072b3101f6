import math

import torch


def forward(q, k, v):
    s = torch.einsum("bqd,bkd->bqk", q, k) / math.sqrt(q.size(-1))
    return torch.einsum("bqk,bkd->bqd", s.softmax(-1), v)


def backward(g, q, k, v):
    c = 1 / math.sqrt(q.size(-1))
    a = (torch.einsum("bqd,bkd->bqk", q, k) * c).softmax(-1)
    da = torch.einsum("bqd,bkd->bqk", g, v)
    ds = a * da - a * torch.einsum("bqk,bqk->bq", a, da).unsqueeze(-1)
    dq = torch.einsum("bqk,bkd->bqd", ds, k) * c
    dk = torch.einsum("bqk,bqd->bkd", ds, q) * c
    dv = torch.einsum("bqk,bqd->bkd", a, g)
    return dq, dk, dv
