import torch
x = torch.randn(1, 1, 6, 6)
k, s = 3, 1
oh = (6 - k) // s + 1
out = torch.zeros(1, 1, oh, oh)
for i in range(oh):
    for j in range(oh):
        out[:, :, i, j] = x[:, :, i:i + k, j:j + k].mean(dim=(2, 3))
dout = torch.randn(1, 1, oh, oh)
dx = torch.zeros_like(x)
for i in range(oh):
    for j in range(oh):
        dx[:, :, i:i + k, j:j + k] = dout[:, :, i, j][:, :, None, None] / (k * k)
