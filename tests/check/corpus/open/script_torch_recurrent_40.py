import torch
T, B, D, H = 3, 4, 3, 5
xs = torch.randn(T, B, D)
Wx = torch.randn(D, H) * 0.5
Wh = torch.randn(H, H) * 0.5
h = [torch.zeros(B, H)]
for t in range(T):
    h.append(torch.tanh(xs[t] @ Wx + h[-1] @ Wh))
hT = h[-1]
dh = torch.randn(B, H)
dWh = torch.zeros(H, H); dWx = torch.zeros(D, H)
d = dh
for t in reversed(range(T)):
    dz = d
    dWh += h[t].T @ dz
    dWx += xs[t].T @ dz
    d = dz @ Wh.T
