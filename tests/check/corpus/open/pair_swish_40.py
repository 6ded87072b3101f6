import torch
def forward(x):
    return x * (x + 3).clamp(0, 6) / 6
def backward(g, x):
    return g * (x + 3).clamp(0, 6) / 6
