"""More flat scripts: name, source, output, grad_output, claims, and the first cause of each wrong one."""

from __future__ import annotations

FRESH: list[tuple[str, str, str, str | None, dict[str, str], dict[str, str]]] = [
    (
        "one_column_of_a_bias",
        """
import torch
x, w, b = torch.randn(5, 3, 6, 6), torch.randn(4, 3, 3, 3), torch.randn(4)
y = torch.nn.functional.conv2d(x, w, b)
dy = torch.randn(5, 4, 4, 4)
db = dy.sum((0, 2))[:, 0]
""",
        "y",
        "dy",
        {"b": "db"},
        {"b": "wrong-reduction-axes"},
    ),
    (
        "one_sample_of_a_bias",
        """
import torch
x, w, b = torch.randn(5, 3, 6, 6), torch.randn(4, 3, 3, 3), torch.randn(4)
y = torch.nn.functional.conv2d(x, w, b)
dy = torch.randn(5, 4, 4, 4)
db = dy.sum((2, 3))[-1]
""",
        "y",
        "dy",
        {"b": "db"},
        {"b": "one-sample-only"},
    ),
    (
        "one_row_of_windows",  # no loop, so that nothing can have been overwritten
        """
import numpy as np
rng = np.random.default_rng(3)
img, ker = rng.normal(size=(3, 2, 7, 8)), rng.normal(size=(4, 2, 3, 2))
win = np.lib.stride_tricks.sliding_window_view(img, (3, 2), axis=(2, 3))
out = np.einsum('ncijkl,ockl->noij', win, ker)
grad_out = rng.normal(size=out.shape)
grad_ker = np.einsum('ncijkl,noij->ockl', win[:, :, :1], grad_out[:, :, :1])
""",
        "out",
        "grad_out",
        {"ker": "grad_ker"},
        {"ker": "wrong-reduction-axes"},
    ),
    (
        "square_product_the_wrong_way_round",
        """
import torch
x, W = torch.randn(4, 4), torch.randn(4, 4)
y = x @ W
dy = torch.randn(4, 4)
dx = W @ dy
""",
        "y",
        "dy",
        {"x": "dx"},
        {"x": "wrong-operand-order"},
    ),
    (
        "prediction_for_its_gradient",
        """
import numpy as np
rng = np.random.RandomState(0)
x, t, W = rng.randn(8, 3), rng.randn(8, 2), rng.randn(3, 2)
p = x @ W
loss = ((p - t) ** 2).sum()
dW = x.T @ (2 * p)
""",
        "loss",
        None,
        {"W": "dW"},
        {"W": "output-instead-of-grad-output"},
    ),
    (
        "rotated_on_instead_of_back",
        """
import torch
T, D = 6, 8
q = torch.randn(T, D)
angle = torch.arange(T)[:, None] * (100 ** (-torch.arange(0, D, 2) / D))[None]
cos, sin = angle.cos(), angle.sin()
y = torch.stack([q[:, 0::2] * cos - q[:, 1::2] * sin, q[:, 0::2] * sin + q[:, 1::2] * cos], -1).flatten(1)
dy = torch.randn(T, D)
dq = torch.stack([dy[:, 0::2] * cos - dy[:, 1::2] * sin, dy[:, 0::2] * sin + dy[:, 1::2] * cos], -1).flatten(1)
""",
        "y",
        "dy",
        {"q": "dq"},
        {"q": "wrong-sign"},
    ),
    (
        "a_bias_for_columns",
        """
import numpy as np
rng = np.random.default_rng(3)
X, t = rng.normal(size=(4, 10)), rng.normal(size=(3, 10))
W, b = rng.normal(size=(3, 4)), rng.normal(size=(3, 1))
A = np.tanh(W @ X + b)
cost = np.sum((A - t) ** 2) / 2
dZ = (A - t) * (1 - A ** 2)
db = dZ
""",
        "cost",
        None,
        {"b": "db"},
        {"b": "missing-batch-sum"},
    ),
    (
        "one_keyword_brings_the_other",
        """
import torch
import torch.nn.functional as F
x, w = torch.randn(2, 3, 14), torch.randn(4, 3, 3)
y = F.conv1d(x, w, dilation=2, padding=2)
gy = torch.randn(2, 4, 14)
gx = F.conv_transpose1d(gy, w, padding=1)
""",
        "y",
        "gy",
        {"x": "gx"},
        {"x": "dilation-ignored"},
    ),
    (
        "slope_that_the_loss_has_taken",
        """
import numpy as np
rng = np.random.RandomState(1)
m = 9
X, Y, w = rng.randn(m, 4), (rng.rand(m, 1) > 0.5).astype(float), rng.randn(4, 1)
A = 1 / (1 + np.exp(-X @ w))
L = -(Y * np.log(A) + (1 - Y) * np.log(1 - A)).mean()
gw = X.T @ ((A - Y) * A * (1 - A)) / m
""",
        "L",
        None,
        {"w": "gw"},
        {"w": "derivative-of-activation-wrong"},
    ),
    (
        "mean_over_what_was_repeated",
        """
import torch
x = torch.randn(2, 3, 4, 5)
y = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
gy = torch.randn(2, 3, 8, 10)
gx = gy.view(2, 3, 4, 2, 5, 2).mean((3, 5))
""",
        "y",
        "gy",
        {"x": "gx"},
        {"x": "mean-instead-of-sum"},
    ),
    (
        "probabilities_for_the_gradient_of_scores",
        """
import torch
torch.manual_seed(0)
X, W = torch.randn(6, 4), torch.randn(4, 3)
lab = torch.tensor([0, 2, 1, 1, 0, 2])
logits = X @ W
probs = torch.softmax(logits, dim=1)
loss = -torch.log(probs[torch.arange(6), lab]).mean()
dlogits = probs / 6
dW = X.T @ dlogits
""",
        "loss",
        None,
        {"W": "dW"},
        {"W": "derivative-of-activation-wrong"},
    ),
    (
        "stride_of_a_loop",
        """
import numpy as np
rng = np.random.default_rng(5)
s = 2
x, w = rng.normal(size=(2, 1, 9, 9)), rng.normal(size=(4, 1, 3, 3))
out = np.zeros((2, 4, 4, 4))
for r in range(4):
    for c in range(4):
        out[:, :, r, c] = np.einsum('nchw,ochw->no', x[:, :, r * s:r * s + 3, c * s:c * s + 3], w)
dout = rng.normal(size=(2, 4, 4, 4))
dx = np.zeros_like(x)
for r in range(4):
    for c in range(4):
        dx[:, :, r:r + 3, c:c + 3] += np.einsum('no,ochw->nchw', dout[:, :, r, c], w)
""",
        "out",
        "dout",
        {"x": "dx"},
        {"x": "stride-ignored"},
    ),
    (
        "leaf_that_autograd_keeps",  # central differences move it in place
        """
import torch
z = torch.randn(5, 4, requires_grad=True)
t = torch.tensor([0, 3, 1, 1, 2])
L = (torch.logsumexp(z, 1) - z[range(5), t]).mean()
with torch.no_grad():
    gz = torch.exp(z - torch.logsumexp(z, 1, keepdim=True))
    gz[range(5), t] -= 1
    gz /= 5
""",
        "L",
        None,
        {"z": "gz"},
        {},
    ),
    (
        "image_whose_axes_are_not_in_order",  # a Jacobian of it, by differences
        """
import numpy as np
rng = np.random.default_rng(0)
x = np.ascontiguousarray(rng.normal(size=(2, 3, 4))).transpose(2, 0, 1)
idx = np.array([0, 2, 0])
y = np.tanh(x)[idx]
dy = rng.normal(size=y.shape)
dx = np.zeros(x.shape)
dx[idx] += dy * (1 - y ** 2)
""",
        "y",
        "dy",
        {"x": "dx"},
        {"x": "overwrite-instead-of-accumulate"},
    ),
    (
        "sign_and_slope_of_a_loss",
        """
import numpy as np
rng = np.random.default_rng(5)
x, t, W = rng.normal(size=(7, 3)), rng.normal(size=(7, 2)), rng.normal(size=(3, 2))
a = 1 / (1 + np.exp(-(x @ W)))
loss = 0.5 * ((a - t) ** 2).sum()
dW = x.T @ ((t - a) * a)
""",
        "loss",
        None,
        {"W": "dW"},
        {"W": "derivative-of-activation-wrong"},
    ),
    (
        "last_sample_averaged",
        """
import numpy as np
rng = np.random.default_rng(5)
x, w = rng.normal(size=(3, 2, 6, 6)), rng.normal(size=(4, 2, 3, 3))
out = np.zeros((3, 4, 4, 4))
for i in range(4):
    for j in range(4):
        out[:, :, i, j] = np.tensordot(x[:, :, i:i + 3, j:j + 3], w, ((1, 2, 3), (1, 2, 3)))
dout = rng.normal(size=(3, 4, 4, 4))
for n in range(3):
    dw = np.zeros_like(w)
    for i in range(4):
        for j in range(4):
            dw += dout[n, :, i, j][:, None, None, None] * x[n, :, i:i + 3, j:j + 3]
dw = dw / 3
""",
        "out",
        "dout",
        {"w": "dw"},
        {"w": "one-sample-only"},
    ),
    (
        "channels_last_kernel",  # (kh, kw, C, O), all of size 3
        """
import numpy as np
rng = np.random.default_rng(0)
x, w = rng.normal(size=(2, 6, 7, 3)), rng.normal(size=(3, 3, 3, 3))
out = np.zeros((2, 4, 5, 3))
for i in range(3):
    for j in range(3):
        out += x[:, i:i + 4, j:j + 5, :] @ w[i, j]
dout = rng.normal(size=out.shape)
dw = np.zeros_like(w)
for i in range(3):
    for j in range(3):
        dw[i, j] = np.einsum('nhwo,nhwc->oc', dout, x[:, i:i + 4, j:j + 5, :])
""",
        "out",
        "dout",
        {"w": "dw"},
        {"w": "channels-swapped"},
    ),
    (
        "where_a_huber_loss_bends",
        """
import torch
p, t = torch.randn(9) * 2, torch.randn(9)
e = p - t
L = torch.where(e.abs() < 1, 0.5 * e ** 2, e.abs() - 0.5).sum()
gp = torch.where(p.abs() < 1, e, e.sign())
""",
        "L",
        None,
        {"p": "gp"},
        {"p": "mask-from-wrong-tensor"},
    ),
    (
        "one_gradient_a_step_of_time",
        """
import numpy as np
rng = np.random.default_rng(3)
x, w = rng.normal(size=(3, 4, 5)), rng.normal(size=(5, 6))
y = np.einsum('btd,de->bte', x, w)
dy = rng.normal(size=y.shape)
dw = np.einsum('btd,bte->tde', x, dy)
""",
        "y",
        "dy",
        {"w": "dw"},
        {"w": "wrong-reduction-axes"},
    ),
    (
        "columns_times_gradient",
        """
import torch
x, w = torch.randn(3, 2, 5, 5), torch.randn(4, 2, 3, 3)
u = torch.nn.functional.unfold(x, 3)
out = w.view(4, -1) @ u
g = torch.randn(3, 4, 9)
gw = u @ g.transpose(1, 2)
""",
        "out",
        "g",
        {"w": "gw"},
        {"w": "transposed"},
    ),
    (
        "batch_and_time_of_one_size",
        """
import torch
x, w = torch.randn(5, 5, 4), torch.randn(4, 3)
y = x @ w
dy = torch.randn(5, 5, 3)
dw = torch.tensordot(x.T, dy, dims=([1, 2], [0, 1]))
""",
        "y",
        "dy",
        {"w": "dw"},
        {"w": "reversed-axes"},
    ),
    (
        "half_of_a_square_twice",  # the exponent is no size
        """
import torch
x, t, w = torch.randn(9, 3), torch.randn(9), torch.randn(3)
r = x @ w - t
loss = r.pow(2).sum() / 2
gw = 2 * x.T @ r
""",
        "loss",
        None,
        {"w": "gw"},
        {"w": "scale-factor"},
    ),
]
