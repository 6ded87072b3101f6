import torch
import torch.nn.functional as F


def forward(logits, target):
    return F.nll_loss(F.log_softmax(logits, dim=-1), target)


def backward(grad_output, logits, target):
    grad = F.softmax(logits, dim=-1)
    grad[range(len(target)), target] -= 1.0
    return grad / len(target), None
