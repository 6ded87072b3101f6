import torch


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, i):
        result = i * torch.sigmoid(i)
        ctx.save_for_backward(i, result)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        i, result = ctx.saved_tensors
        sigmoid_i = torch.sigmoid(i)
        return grad_output * (result + sigmoid_i * (1 - result))
