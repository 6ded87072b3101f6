import torch
import torch.nn.functional as F


class Conv3d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight, bias, padding=0):
        ctx.save_for_backward(input, weight)
        ctx.padding = padding
        return F.conv3d(input, weight, bias, padding=padding)

    @staticmethod
    def backward(ctx, dout):
        input, weight = ctx.saved_tensors
        num_filters = weight.shape[0]
        dinput = torch.zeros_like(input)
        for f in range(num_filters):
            dinput += F.conv_transpose3d(dout, weight, padding=ctx.padding)
        dweight = torch.nn.grad.conv3d_weight(input, weight.shape, dout, padding=ctx.padding)
        dbias = dout.sum((0, 2, 3, 4))
        return dinput, dweight, dbias, None
