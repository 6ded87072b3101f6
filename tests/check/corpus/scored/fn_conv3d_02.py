import torch
import torch.nn.functional as F


class VideoConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, clip, weight):
        ctx.save_for_backward(clip, weight)
        return F.conv3d(clip, weight)

    @staticmethod
    def backward(ctx, grad):
        clip, weight = ctx.saved_tensors
        t, h, w = grad.shape[2:]
        kt, kh, kw = weight.shape[2:]
        g_clip = torch.zeros_like(clip)
        g_weight = torch.zeros_like(weight)
        for n in range(clip.shape[0]):
            for a in range(kt):
                for b in range(kh):
                    for c in range(kw):
                        box = clip[n, :, a:a + t, b:b + h, c:c + w]
                        g_weight[:, :, a, b, c] = torch.einsum("othw,cthw->oc", grad[n], box)
                        g_clip[n, :, a:a + t, b:b + h, c:c + w] += torch.einsum("othw,oc->cthw", grad[n], weight[:, :, a, b, c])
        return g_clip, g_weight
