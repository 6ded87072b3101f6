"""All gradients from the columns alone: stride, padding and groups, for sequences, images and volumes."""

import torch

import handgrad as hg

torch.manual_seed(0)
N, C, O, G = 5, 4, 6, 2
settings = {"stride": 2, "padding": 1}
functions = {
    1: (hg.unfold1d, hg.fold1d, hg.conv1d_backward),
    2: (hg.unfold2d, hg.fold2d, hg.conv2d_backward),
    3: (hg.unfold3d, hg.fold3d, hg.conv3d_backward),
}

for size, kernel in ((9,), (3,)), ((9, 8), (3, 2)), ((5, 6, 7), (2, 3, 2)):
    unfold, fold, backward = functions[len(size)]
    x = torch.randn(N, C, *size, dtype=torch.float64)
    w = torch.randn(O, C // G, *kernel, dtype=torch.float64)

    cols = unfold(x, kernel, **settings).unflatten(1, (G, -1))  # (N, C·K, L) → (N, G, C/G·K, L)
    rows = w.view(G, O // G, -1)  # (O, C/G, *K) → (G, O/G, C/G·K)
    y = rows @ cols  # (N, G, O/G, L)
    dy = torch.randn_like(y)

    dw = (dy @ cols.mT).sum(0).view_as(w)  # (N, G, O/G, C/G·K), summed → (O, C/G, *K)
    dx = fold((rows.mT @ dy).flatten(1, 2), size, kernel, **settings)  # (N, G, C/G·K, L) → (N, C·K, L) → (N, C, *I)

    output = [(i + 2 - k) // 2 + 1 for i, k in zip(size, kernel, strict=True)]
    truth = backward(dy.reshape(N, O, *output), x, w, **settings, groups=G, needs=("input", "weight"))
    torch.testing.assert_close((dx, dw), (truth.input, truth.weight))
    print(f"{len(size)}-d: dw {tuple(dw.shape)}, dx {tuple(dx.shape)}")
