import torch


def forward(logits, target):
    p = torch.sigmoid(logits)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def backward(grad_output, logits, target):
    p = torch.sigmoid(logits)
    return grad_output * (target - p) / logits.numel(), None


def example_inputs():
    logits = torch.randn(6, 4)
    target = (torch.rand(6, 4) > 0.5).long()
    return logits, target
