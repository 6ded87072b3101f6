import torch


def forward(input, weight, bias):
    kh, kw = weight.shape[-2:]
    patches = input.unfold(2, kh, 1).unfold(3, kw, 1)
    return torch.einsum("bchwkl,ockl->bohw", patches, weight) + bias[None, :, None, None]


def backward(grad_output, input, weight, bias):
    kh, kw = weight.shape[-2:]
    patches = input.unfold(2, kh, 1).unfold(3, kw, 1)
    grad_weight = torch.einsum("bohw,bchwkl->oclk", grad_output, patches)
    grad_bias = torch.einsum("bohw->o", grad_output)
    g = torch.nn.functional.pad(grad_output, (kw - 1, kw - 1, kh - 1, kh - 1))
    g = g.unfold(2, kh, 1).unfold(3, kw, 1)
    grad_input = torch.einsum("bohwkl,ockl->bchw", g, weight.flip(2, 3))
    return grad_input, grad_weight, grad_bias
