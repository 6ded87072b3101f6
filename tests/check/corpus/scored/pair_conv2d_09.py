import torch
import torch.nn.functional as F


def forward(input, weight, bias, stride=1):
    return F.conv2d(input, weight, bias, stride=stride)


def backward(grad_output, input, weight, bias, stride=1):
    C_out = weight.shape[0]
    w_row = weight.reshape(C_out, -1)
    grad_input = torch.empty_like(input)
    for n in range(input.shape[0]):
        col = F.unfold(input[n:n + 1], weight.shape[2:], stride=stride)[0]
        g = grad_output[n].reshape(C_out, -1)
        grad_weight = (g @ col.t()).reshape(weight.shape)
        grad_input[n] = F.fold((w_row.t() @ g)[None], input.shape[2:], weight.shape[2:], stride=stride)[0]
    grad_bias = grad_output.sum(dim=(0, 2, 3))
    return grad_input, grad_weight, grad_bias
