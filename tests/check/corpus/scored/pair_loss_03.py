import torch


def forward(pred, target, delta=1.0):
    r = pred - target
    quad = r.abs().clamp(max=delta)
    return (0.5 * quad ** 2 + delta * (r.abs() - quad)).sum()


def backward(grad_output, pred, target, delta=1.0):
    g = grad_output * (pred - target).clamp(-delta, delta)
    return g, -g
