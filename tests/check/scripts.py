"""Flat scripts in the style of forum posts, what is wrong in each, and, for the oracle, their forward pass in torch.

`BATCH` in a source is the batch size, so that a corrected line can be tried at another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Names = Mapping[str, Tensor]


@dataclass(frozen=True)
class Script:
    """`causes` are the findings of each gradient, the first first; `forward` is the output from the script's inputs."""

    name: str
    source: str
    output: str
    grad_output: str | None
    wrt: Mapping[str, str]
    causes: Mapping[str, tuple[str, ...]]
    forward: Callable[[Any], Tensor]
    batch: int = 1
    fixed: bool = True  # whether a line to paste is expected


SCRIPTS = [
    Script(  # the question, exactly as posted
        "question",
        """
import torch

img = torch.randn(BATCH, 1, 28, 28)
kernel = torch.randn(1, 1, 3, 3)
unfold = torch.nn.Unfold(3, padding=1)
img_unfolded = unfold(img)
output = kernel.view(1, -1) @ img_unfolded
grads_output = torch.randn(BATCH, 1, 784)
grads_weights = img_unfolded.T.matmul(output)
grads_next_layer = kernel.view(1, -1).T.matmul(grads_output)
""",
        "output",
        "grads_output",
        {"kernel": "grads_weights", "img": "grads_next_layer"},
        {
            "kernel": (
                "reversed-axes",
                "wrong-operand-order",
                "output-instead-of-grad-output",
                "missing-batch-sum",
            ),
            "img": ("column-form",),
        },
        lambda n: n.kernel.view(1, -1) @ F.unfold(n.img, 3, padding=1),
    ),
    Script(
        "linear_transposed",
        """
import torch
x = torch.randn(BATCH, 5)
W = torch.randn(3, 5)
b = torch.zeros(3)
y = x @ W.T + b
dy = torch.randn(BATCH, 3)
dW = x.T @ dy
db = dy
dx = dy @ W
""",
        "y",
        "dy",
        {"W": "dW", "b": "db", "x": "dx"},
        {"W": ("transposed",), "b": ("missing-batch-sum",), "x": ()},
        lambda n: n.x @ n.W.T + n.b,
        batch=4,
    ),
    Script(
        "linear_mean",
        """
import torch
torch.manual_seed(3)
N, D, M = BATCH, 6, 4
x = torch.randn(N, D)
weight = torch.randn(D, M)
out = x.mm(weight)
grad_out = torch.randn(N, M)
grad_weight = x.t().mm(grad_out) / N
grad_x = 2 * grad_out.mm(weight.t())
""",
        "out",
        "grad_out",
        {"weight": "grad_weight", "x": "grad_x"},
        {"weight": ("mean-instead-of-sum",), "x": ("scale-factor",)},
        lambda n: n.x @ n.weight,
        batch=5,
    ),
    Script(
        "mlp_relu",
        """
import torch
x = torch.randn(BATCH, 6)
w1 = torch.randn(6, 8)
w2 = torch.randn(8, 3)
h = x @ w1
a = h.clamp(min=0)
y = a @ w2
g = torch.randn(BATCH, 3)
dw2 = a.T @ g
da = g @ w2.T
dw1 = x.T @ da
dx = (da * (da > 0)) @ w1.T
""",
        "y",
        "g",
        {"w2": "dw2", "w1": "dw1", "x": "dx"},
        {"w2": (), "w1": ("mask-missing",), "x": ("mask-from-gradient",)},
        lambda n: (n.x @ n.w1).clamp(min=0) @ n.w2,
        batch=4,
    ),
    Script(
        "np_linear_output",
        """
import numpy as np
rng = np.random.default_rng()
X = rng.standard_normal((BATCH, 5))
W = rng.standard_normal((5, 3))
out = X.dot(W)
dout = rng.standard_normal(out.shape)
dW = X.T.dot(out)
dX = dout.dot(W.T)
""",
        "out",
        "dout",
        {"W": "dW", "X": "dX"},
        {"W": ("output-instead-of-grad-output",), "X": ()},
        lambda n: n.X @ n.W,
        batch=4,
    ),
    Script(
        "np_conv_loops",
        """
import numpy as np
np.random.seed(0)
N = BATCH
x = np.random.randn(N, 2, 6, 5)
w = np.random.randn(3, 2, 3, 2)
H_out, W_out = 4, 4
out = np.zeros((N, 3, H_out, W_out))
for n in range(N):
    for o in range(3):
        for i in range(H_out):
            for j in range(W_out):
                out[n, o, i, j] = np.sum(x[n, :, i:i+3, j:j+2] * w[o])
dout = np.random.randn(*out.shape)
dw = np.zeros_like(w)
dx = np.zeros_like(x)
for n in range(N):
    for o in range(3):
        for i in range(H_out):
            for j in range(W_out):
                dx[n, :, i:i+3, j:j+2] = dout[n, o, i, j] * w[o]
                dw[o] += dout[n, o, i, j] * x[n, :, i:i+3, j:j+2]
""",
        "out",
        "dout",
        {"w": "dw", "x": "dx"},
        {"w": (), "x": ("overwrite-instead-of-accumulate",)},
        lambda n: F.conv2d(n.x, n.w),
        batch=2,
    ),
    Script(
        "np_sample_loop",
        """
import numpy as np
np.random.seed(1)
X = np.random.randn(BATCH, 4)
W = np.random.randn(3, 4)
Y = np.zeros((BATCH, 3))
for n in range(BATCH):
    Y[n] = W @ X[n]
dY = np.random.randn(BATCH, 3)
for n in range(len(X)):
    dW = np.outer(dY[n], X[n])
""",
        "Y",
        "dY",
        {"W": "dW"},
        {"W": ("one-sample-only",)},
        lambda n: n.X @ n.W.T,
        batch=4,
    ),
    Script(
        "sigmoid_with_backward",
        """
import torch
x = torch.randn(BATCH, 4)
w = torch.randn(4, 2, requires_grad=True)
z = x @ w
a = torch.sigmoid(z)
loss = ((a - 1) ** 2).sum()
loss.backward()
with torch.no_grad():
    da = 2 * (a - 1)
    dz = da * a * (1 - a)
    dw = x.t() @ dz
    wrong = x.t() @ (da * a)
    print((dw - w.grad).abs().max().item())
    w -= 0.1 * dw
""",
        "loss",
        None,
        {"w": "dw"},
        {"w": ()},
        lambda n: ((torch.sigmoid(n.x @ n.w) - 1) ** 2).sum(),
        batch=3,
    ),
    Script(
        "conv_no_flip",
        """
import torch
import torch.nn.functional as F
x = torch.randn(BATCH, 2, 7, 7)
w = torch.randn(4, 2, 3, 3)
y = F.conv2d(x, w, padding=1)
dy = torch.randn(BATCH, 4, 7, 7)
dx = F.conv2d(dy, w.transpose(0, 1), padding=1)
""",
        "y",
        "dy",
        {"x": "dx"},
        {"x": ("kernel-not-flipped",)},
        lambda n: F.conv2d(n.x, n.w, padding=1),
        batch=3,
    ),
    Script(
        "conv_transpose_stride",
        """
import torch
import torch.nn.functional as F
x = torch.randn(BATCH, 2, 9, 7)
w = torch.randn(4, 2, 3, 3)
y = F.conv2d(x, w, stride=2)
dy = torch.randn_like(y)
dx = F.conv_transpose2d(dy, w)
""",
        "y",
        "dy",
        {"x": "dx"},
        {"x": ("stride-ignored",)},
        lambda n: F.conv2d(n.x, n.w, stride=2),
        batch=3,
    ),
    Script(
        "mse_factor",
        """
import torch
x = torch.randn(BATCH, 3)
t = torch.randn(BATCH, 2)
w = torch.randn(3, 2)
y = x @ w
loss = ((y - t) ** 2).mean()
dw = 2 * x.T @ (y - t)
""",
        "loss",
        None,
        {"w": "dw"},
        {"w": ("scale-factor",)},
        lambda n: ((n.x @ n.w - n.t) ** 2).mean(),
        batch=4,
    ),
    Script(
        "updated_weight",
        """
import numpy as np
np.random.seed(7)
x = np.random.randn(BATCH, 4)
W1 = np.random.randn(4, 5)
W2 = np.random.randn(5, 3)
h = np.tanh(x @ W1)
y = h @ W2
dy = np.random.randn(BATCH, 3)
dW2 = h.T @ dy
W2 -= 0.1 * dW2
dh = dy @ W2.T
dW1 = x.T @ (dh * (1 - h ** 2))
""",
        "y",
        "dy",
        {"W2": "dW2", "W1": "dW1"},
        {"W2": (), "W1": ("updated-weight",)},
        lambda n: torch.tanh(n.x @ n.W1) @ n.W2,
        batch=3,
        fixed=False,
    ),
    Script(
        "reshape_for_permute",
        """
import torch
x = torch.randn(BATCH, 2, 6, 6)
w = torch.randn(4, 2, 3, 3)
cols = torch.nn.functional.unfold(x, 3)          # N, C*9, L
y = (w.view(4, -1) @ cols).view(BATCH, 4, 4, 4)
dy = torch.randn(BATCH, 4, 4, 4)
dy_flat = dy.reshape(4, -1)
cols_flat = cols.permute(1, 0, 2).reshape(18, -1)
dw = (dy_flat @ cols_flat.T).view(4, 2, 3, 3)
""",
        "y",
        "dy",
        {"w": "dw"},
        {"w": ("reshape-instead-of-permute",)},
        lambda n: F.conv2d(n.x, n.w),
        batch=3,
    ),
    Script(
        "upstream_twice",
        """
import torch
x = torch.randn(BATCH, 5)
y = torch.exp(x)
g = torch.randn(BATCH, 5)
dx = g * y * g
""",
        "y",
        "g",
        {"x": "dx"},
        {"x": ("upstream-applied-twice",)},
        lambda n: torch.exp(n.x),
        batch=3,
    ),
    Script(
        "wrong_sign",
        """
import numpy as np
x = np.array([[1.0, -2.0, 0.5], [0.3, 0.8, -1.1]])
w = np.array([[0.2, -0.4], [1.5, 0.7], [-0.6, 0.9]])
t = np.array([[1.0, 0.0], [0.0, 1.0]])
y = x @ w
loss = 0.5 * np.sum((y - t) ** 2)
dw = x.T @ (t - y)
""",
        "loss",
        None,
        {"w": "dw"},
        {"w": ("wrong-sign",)},
        lambda n: 0.5 * ((n.x @ n.w - n.t) ** 2).sum(),
        batch=2,
    ),
    Script(
        "attention",
        """
import torch
q = torch.randn(BATCH, 4, 6)
k = torch.randn(BATCH, 5, 6)
scores = q @ k.mT
g = torch.randn(BATCH, 4, 5)
dq = g @ k
dk = g @ q
""",
        "scores",
        "g",
        {"q": "dq", "k": "dk"},
        {"q": (), "k": ("transposed",)},
        lambda n: n.q @ n.k.mT,
        batch=2,
    ),
    Script(
        "in_a_function",
        """
import torch

def forward(x, w):
    cols = torch.nn.functional.unfold(x, 3)
    return w.view(w.shape[0], -1) @ cols, cols

def backward(dout, cols, w):
    dw = dout.matmul(cols.T)
    return dw.sum(0).view_as(w)

x = torch.randn(BATCH, 2, 6, 5)
w = torch.randn(4, 2, 3, 3)
out, cols = forward(x, w)
dout = torch.randn(out.shape)
dw = backward(dout, cols, w)
""",
        "out",
        "dout",
        {"w": "dw"},
        {"w": ("reversed-axes",)},
        lambda n: n.w.flatten(1) @ F.unfold(n.x, 3),
        batch=1,
    ),
    Script(
        "mask_of_the_input",  # square, so that the mask of another tensor fits
        """
import torch
x = torch.randn(4, 4)
w = torch.randn(4, 4)
y = torch.relu(x @ w)
dy = torch.randn(4, 4)
dz = dy * (x > 0)
dx = dz @ w.T
dw = x.T @ dz
""",
        "y",
        "dy",
        {"x": "dx", "w": "dw"},
        {"x": ("mask-from-wrong-tensor",), "w": ("mask-from-wrong-tensor",)},
        lambda n: torch.relu(n.x @ n.w),
        batch=4,
    ),
    Script(
        "mask_in_place",
        """
import torch
x = torch.randn(BATCH, 4)
w = torch.randn(4, 4)
y = torch.relu(x @ w)
dy = torch.randn(BATCH, 4)
dy[x < 0] = 0
dw = x.T @ dy
""",
        "y",
        "dy",
        {"w": "dw"},
        {"w": ("mask-from-wrong-tensor",)},
        lambda n: torch.relu(n.x @ n.w),
        batch=8,
        fixed=False,  # `dy` is changed in place, so that the oracle of this test would see another grad_output
    ),
    Script(
        "two_slips_on_the_way",
        """
import torch
x = torch.randn(BATCH, 4)
w1 = torch.randn(4, 5)
w2 = torch.randn(5, 3)
h = x @ w1
n = h - h.mean(1, keepdim=True)
y = n @ w2
dy = torch.randn(BATCH, 3)
dn = dy @ w2.T
dh = dn - dn.mean(0, keepdim=True)
dw1 = dh.T @ x
""",
        "y",
        "dy",
        {"w1": "dw1"},
        {"w1": ("wrong-reduction-axes", "transposed")},
        lambda n: (lambda h: h - h.mean(1, keepdim=True))(n.x @ n.w1) @ n.w2,
        batch=6,
    ),
    Script(
        "training_loop",
        """
import numpy as np
np.random.seed(2)
X = np.random.randn(BATCH, 3)
T = np.random.randn(BATCH, 2)
W = np.random.randn(3, 2)
b = np.zeros(2)
for epoch in range(5):
    Y = X @ W + b
    loss = ((Y - T) ** 2).sum()
    dY = 2 * (Y - T)
    dW = X.T @ dY
    db = dY.mean(axis=0)
    W = W - 0.01 * dW
    b = b - 0.01 * db
    if epoch % 2 == 0:
        print(epoch, loss)
""",
        "loss",
        None,
        {"W": "dW", "b": "db"},
        {"W": (), "b": ("mean-instead-of-sum",)},
        lambda n: ((n.X @ n.W + n.b - n.T) ** 2).sum(),
        batch=4,
        fixed=False,
    ),
    Script(
        "correct_im2col",
        """
import torch
import torch.nn.functional as F
x = torch.randn(BATCH, 3, 8, 7)
w = torch.randn(5, 3, 3, 3)
b = torch.randn(5)
cols = F.unfold(x, 3, padding=1, stride=2)
y = (w.flatten(1) @ cols + b[None, :, None])
dy = torch.randn_like(y)
dw = torch.einsum("nol,nkl->ok", dy, cols).reshape(w.shape)
db = dy.sum((0, 2))
dx = F.fold(w.flatten(1).T @ dy, (8, 7), 3, padding=1, stride=2)
""",
        "y",
        "dy",
        {"w": "dw", "b": "db", "x": "dx"},
        {"w": (), "b": (), "x": ()},
        lambda n: n.w.flatten(1) @ F.unfold(n.x, 3, padding=1, stride=2) + n.b[None, :, None],
        batch=2,
    ),
    Script(
        "correct_module",
        """
import torch
conv = torch.nn.Conv2d(2, 3, 3, bias=False)
kernel = conv.weight.data
x = torch.randn(BATCH, 2, 6, 6)
y = conv(x)
g = torch.randn_like(y)
dw = torch.zeros_like(conv.weight)
for i in range(3):
    for j in range(3):
        dw[:, :, i, j] = torch.einsum("nohw,nchw->oc", g, x[:, :, i:i+4, j:j+4])
""",
        "y",
        "g",
        {"conv.weight": "dw", "kernel": "dw"},
        {"conv.weight": (), "kernel": ()},
        lambda n: F.conv2d(n.x, n["conv.weight"]),
        batch=2,
    ),
]

# Scripts of fixed sizes: (name, source, output, grad_output, wrt, the first cause of each wrong gradient).
MORE: list[tuple[str, str, str, str | None, dict[str, str], dict[str, str]]] = [
    (
        "slope_of_one_side_left_out",
        """
import torch
X = torch.randn(9, 4)
W = torch.randn(4, 5)
V = torch.randn(5, 2)
h = torch.where(X @ W > 0, X @ W, 0.1 * (X @ W))
y = h @ V
gy = torch.randn(9, 2)
gW = X.T @ (gy @ V.T)
""",
        "y",
        "gy",
        {"W": "gW"},
        {"W": "mask-missing"},
    ),
    (
        "crop_written_for_the_posted_sizes",
        """
import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 9, 9)
w = torch.randn(4, 3, 5, 5)
y = F.conv2d(x, w, padding=2)
gy = torch.randn(2, 4, 9, 9)
full = F.conv_transpose2d(gy, w)
gx = full[:, :, 1:10, 1:10]
""",
        "y",
        "gy",
        {"x": "gx"},
        {"x": "wrong-crop"},
    ),
    (
        "length_taken_for_a_constant",
        """
import torch
x = torch.randn(7, 5)
norm = (x * x).sum(dim=1, keepdim=True).sqrt()
y = x / norm
dy = torch.randn(7, 5)
dx = dy / norm
""",
        "y",
        "dy",
        {"x": "dx"},
        {"x": "missing-variance-term"},
    ),
    (
        "derivative_that_no_formula_gives",
        """
import torch
x = torch.randn(6, 9)
s = torch.sigmoid(1.702 * x)
out = x * s
dout = torch.randn(6, 9)
dx = dout * (s + x * s * (1 - s))
""",
        "out",
        "dout",
        {"x": "dx"},
        {"x": "derivative-of-activation-wrong"},
    ),
    (
        "derivative_that_no_formula_gives_before_a_loss",
        """
import torch
x = torch.randn(5, 7)
t = torch.randn(5, 7)
s = torch.sigmoid(x)
a = x * s
loss = 0.5 * ((a - t) ** 2).sum()
da = a - t
dx = da * (s + s * (1 - s))
""",
        "loss",
        None,
        {"x": "dx"},
        {"x": "derivative-of-activation-wrong"},
    ),
    (
        "batch_as_a_number",
        """
import torch
import torch.nn.functional as F
X = torch.randn(10, 6)
y = torch.randint(0, 4, (10,))
W = torch.randn(6, 4)
z = X @ W
loss = F.cross_entropy(z, y, reduction="sum")
p = F.softmax(z, dim=1)
p[torch.arange(10), y] -= 1
dW = X.t() @ (p / 10)
""",
        "loss",
        None,
        {"W": "dW"},
        {"W": "mean-instead-of-sum"},
    ),
    (
        "pooling_window_is_no_size",
        """
import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 8, 8)
y = F.avg_pool2d(x, 2)
dy = torch.randn(2, 3, 4, 4)
dx = dy.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
""",
        "y",
        "dy",
        {"x": "dx"},
        {"x": "scale-factor"},
    ),
    (
        "weights_made_after_the_image",
        """
import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 9, 9)
w = torch.randn(4, 3, 3, 3)
y = F.conv2d(x, w, stride=2)
gy = torch.randn(2, 4, 4, 4)
gx = F.conv_transpose2d(gy, w)
gx = F.pad(gx, (0, 3, 0, 3))
""",
        "y",
        "gy",
        {"x": "gx"},
        {"x": "stride-ignored"},
    ),
    (
        "corner_from_zero",
        """
import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 8, 7)
w = torch.randn(4, 3, 3, 3)
y = F.conv2d(F.pad(x, (1, 1, 1, 1)), w)
dy = torch.randn(2, 4, 8, 7)
dxp = F.conv_transpose2d(dy, w)
dx = dxp[:, :, 0:8, 0:7]
""",
        "y",
        "dy",
        {"x": "dx"},
        {"x": "wrong-crop"},
    ),
    (
        "bn_missing_mean",
        """
import numpy as np
x = np.random.randn(7, 4)
gamma = np.random.rand(4) + 0.5
beta = np.zeros(4)
eps = 1e-5
mu = x.mean(axis=0)
var = x.var(axis=0)
std = np.sqrt(var + eps)
xhat = (x - mu) / std
out = gamma * xhat + beta
dout = np.random.randn(7, 4)
dgamma = (dout * xhat).sum(axis=0)
dbeta = dout.sum(axis=0)
dxhat = dout * gamma
dx = (dxhat - xhat * (dxhat * xhat).mean(axis=0)) / std
""",
        "out",
        "dout",
        {"x": "dx", "gamma": "dgamma", "beta": "dbeta"},
        {"x": "missing-mean-term"},
    ),
    (
        "bn_right",
        """
import numpy as np
x = np.random.randn(7, 4)
gamma = np.random.rand(4) + 0.5
beta = np.zeros(4)
mu = x.mean(axis=0)
xc = x - mu
var = (xc ** 2).mean(axis=0)
ivar = 1 / np.sqrt(var + 1e-5)
xhat = xc * ivar
out = gamma * xhat + beta
dout = np.random.randn(7, 4)
dxhat = dout * gamma
N = x.shape[0]
dx = ivar / N * (N * dxhat - dxhat.sum(axis=0) - xhat * (dxhat * xhat).sum(axis=0))
""",
        "out",
        "dout",
        {"x": "dx"},
        {},
    ),
    (
        "np_conv_stride_ignored",
        """
import numpy as np
N, C, H, W = 2, 3, 7, 7
F, K, S = 4, 3, 2
x = np.random.randn(N, C, H, W)
w = np.random.randn(F, C, K, K)
Ho = (H - K) // S + 1
out = np.zeros((N, F, Ho, Ho))
for i in range(Ho):
    for j in range(Ho):
        patch = x[:, :, i*S:i*S+K, j*S:j*S+K]
        out[:, :, i, j] = np.tensordot(patch, w, axes=([1, 2, 3], [1, 2, 3]))
dout = np.random.randn(N, F, Ho, Ho)
dx = np.zeros_like(x)
dw = np.zeros_like(w)
for i in range(Ho):
    for j in range(Ho):
        dx[:, :, i:i+K, j:j+K] += np.tensordot(dout[:, :, i, j], w, axes=(1, 0))
        dw += np.tensordot(dout[:, :, i, j], x[:, :, i*S:i*S+K, j*S:j*S+K], axes=(0, 0))
""",
        "out",
        "dout",
        {"x": "dx", "w": "dw"},
        {"x": "stride-ignored"},
    ),
    (
        "bias_total",
        """
import torch
x = torch.randn(6, 4)
W = torch.randn(4, 3)
b = torch.randn(3)
y = x @ W + b
dy = torch.randn(6, 3)
db = dy.sum()
dW = x.T @ dy
""",
        "y",
        "dy",
        {"b": "db", "W": "dW"},
        {"b": "wrong-reduction-axes"},
    ),
    (
        "avg_overlap",
        """
import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 6, 6)
w = torch.randn(4, 27)
cols = F.unfold(x, 3)
y = w @ cols
dy = torch.randn(2, 4, 16)
dcols = w.t() @ dy
ones = F.fold(torch.ones_like(dcols), (6, 6), 3)
dx = F.fold(dcols, (6, 6), 3) / ones
""",
        "y",
        "dy",
        {"x": "dx"},
        {"x": "averaged-overlap"},
    ),
    (
        "sigmoid_z",
        """
import numpy as np
x = np.random.randn(5, 4)
W1 = np.random.randn(4, 6)
W2 = np.random.randn(6, 2)
z1 = x @ W1
a1 = 1 / (1 + np.exp(-z1))
y = a1 @ W2
dy = np.random.randn(5, 2)
da1 = dy @ W2.T
dz1 = da1 * z1 * (1 - z1)
dW1 = x.T @ dz1
""",
        "y",
        "dy",
        {"W1": "dW1"},
        {"W1": "derivative-of-activation-wrong"},
    ),
    (
        "dilation",
        """
import torch
import torch.nn.functional as F
x = torch.randn(2, 3, 9, 9)
w = torch.randn(4, 3, 3, 3)
out = F.conv2d(x, w, padding=2, dilation=2)
dout = torch.randn_like(out)
dx = F.conv_transpose2d(dout, w, padding=2)
""",
        "out",
        "dout",
        {"x": "dx"},
        {"x": "dilation-ignored"},
    ),
    (
        "np_columns",
        """
import numpy as np
def im2col(x, k):
    n, c, h, w = x.shape
    cols = np.zeros((n, c, k, k, h - k + 1, w - k + 1))
    for i in range(k):
        for j in range(k):
            cols[:, :, i, j] = x[:, :, i:i + h - k + 1, j:j + w - k + 1]
    return cols.reshape(n, c * k * k, -1)
x = np.random.randn(3, 2, 6, 5)
w = np.random.randn(4, 2, 3, 3)
cols = im2col(x, 3)
out = w.reshape(4, -1) @ cols
dout = np.random.randn(*out.shape)
dw = np.einsum('nol,nkl->ok', dout, cols).reshape(w.shape)
dx = w.reshape(4, -1).T @ dout
""",
        "out",
        "dout",
        {"w": "dw", "x": "dx"},
        {"x": "column-form"},
    ),
    (
        "regular",
        """
import torch
x = torch.randn(8, 4)
w = torch.randn(4, 3)
y = x @ w
g = torch.randn(8, 3)
dw = x.T @ g + 0.01 * w
""",
        "y",
        "g",
        {"w": "dw"},
        {"w": "regularizer-included"},
    ),
    (
        "grads_dict",
        """
import numpy as np
params = {"W": np.random.randn(4, 3), "b": np.zeros(3)}
x = np.random.randn(6, 4)
y = x @ params["W"] + params["b"]
dy = np.random.randn(6, 3)
grads = {}
grads["W"] = x.T @ dy
grads["b"] = dy.mean(0)
""",
        "y",
        "dy",
        {'params["W"]': 'grads["W"]', 'params["b"]': 'grads["b"]'},
        {'params["b"]': "mean-instead-of-sum"},
    ),
    (
        "einsum_batch",
        """
import torch
x = torch.randn(4, 3, 5)
w = torch.randn(3, 2)
y = torch.einsum('bij,ik->bkj', x, w)
dy = torch.randn(4, 2, 5)
dw = torch.einsum('bij,bkj->bik', x, dy)
""",
        "y",
        "dy",
        {"w": "dw"},
        {"w": "missing-batch-sum"},
    ),
    (
        "ones",
        """
import torch
x = torch.randn(5, 3)
w = torch.randn(3, 4)
y = torch.sigmoid(x @ w)
gy = torch.randn(5, 4)
gx = (y * (1 - y)) @ w.T
gw = x.T @ (gy * y * (1 - y))
""",
        "y",
        "gy",
        {"x": "gx", "w": "gw"},
        {"x": "grad-output-ignored"},
    ),
    (
        "attn_diag",
        """
import torch
Q = torch.randn(2, 4, 8)
K = torch.randn(2, 5, 8)
V = torch.randn(2, 5, 6)
S = Q @ K.transpose(1, 2) / 8 ** 0.5
A = torch.softmax(S, dim=-1)
O = A @ V
dO = torch.randn(2, 4, 6)
dA = dO @ V.transpose(1, 2)
dS = A * (1 - A) * dA
dQ = dS @ K / 8 ** 0.5
""",
        "O",
        "dO",
        {"Q": "dQ"},
        {"Q": "softmax-diagonal-only"},
    ),
    (
        "batch1",
        """
import torch
x = torch.randn(1, 4)
w = torch.randn(4, 3)
b = torch.randn(3)
y = x @ w + b
g = torch.randn(1, 3)
dw = x.T @ g
db = g.squeeze(0)
dx = g @ w.T
""",
        "y",
        "g",
        {"w": "dw", "b": "db", "x": "dx"},
        {},
    ),
    (
        "rank",
        """
import torch
x = torch.randn(5, 4)
w = torch.randn(4, 3)
b = torch.randn(3)
y = x @ w + b
g = torch.randn(5, 3)
db = g.sum(0, keepdim=True)
""",
        "y",
        "g",
        {"b": "db"},
        {"b": "wrong-rank"},
    ),
    (
        "backward_grad",
        """
import torch
x = torch.randn(5, 4, requires_grad=True)
w = torch.randn(4, 3, requires_grad=True)
y = torch.relu(x @ w)
g = torch.ones_like(y)
y.backward(g)
my_dw = x.T @ (g * (y > 0))
assert torch.allclose(my_dw, w.grad)
""",
        "y",
        "g",
        {"w": "my_dw", "x": "x.grad"},
        {},
    ),
    (
        "np_conv_padded",
        """
import numpy as np
x = np.random.randn(5, 3, 8, 8)
w = np.random.randn(4, 3, 3, 3)
b = np.random.randn(4)
def conv(x, w, b, pad):
    xp = np.pad(x, ((0,0),(0,0),(pad,pad),(pad,pad)))
    N, C, H, W = xp.shape
    F, _, K, _ = w.shape
    out = np.zeros((N, F, H-K+1, W-K+1))
    for i in range(H-K+1):
        for j in range(W-K+1):
            out[:, :, i, j] = np.tensordot(xp[:, :, i:i+K, j:j+K], w, axes=((1,2,3),(1,2,3))) + b
    return out
out = conv(x, w, b, 1)
dout = np.random.randn(*out.shape)
db = dout.sum(axis=(0, 2))
xp = np.pad(x, ((0,0),(0,0),(1,1),(1,1)))
dw = np.zeros_like(w)
dxp = np.zeros_like(xp)
for i in range(8):
    for j in range(8):
        dw += np.tensordot(dout[:, :, i, j], xp[:, :, i:i+3, j:j+3], axes=(0, 0))
        dxp[:, :, i:i+3, j:j+3] += np.tensordot(dout[:, :, i, j], w, axes=(1, 0))
dx = dxp
""",
        "out",
        "dout",
        {"b": "db", "w": "dw", "x": "dx"},
        {"b": "wrong-reduction-axes", "x": "padding-not-cropped"},
    ),
    (
        "bce_sign",
        """
import numpy as np
x = np.random.randn(7, 5)
y = 1 / (1 + np.exp(-x))
t = (np.random.rand(7, 5) > 0.5).astype(float)
loss = -np.mean(t * np.log(y) + (1 - t) * np.log(1 - y))
dx = (t - y) / y.size
dx_ok = (y - t) / t.size
""",
        "loss",
        None,
        {"x": "dx"},
        {"x": "wrong-sign"},
    ),
    (
        "correct_two_layers",
        """
import numpy as np
N, D, H, C = 4, 5, 6, 3
X = np.random.randn(N, D)
y = np.array([0, 2, 1, 1])
W1 = 0.1 * np.random.randn(D, H)
b1 = np.zeros(H)
W2 = 0.1 * np.random.randn(H, C)
b2 = np.zeros(C)
h = np.maximum(0, X @ W1 + b1)
s = h @ W2 + b2
p = np.exp(s - s.max(1, keepdims=True))
p /= p.sum(1, keepdims=True)
loss = -np.log(p[np.arange(N), y]).mean()
ds = p.copy()
ds[np.arange(N), y] -= 1
ds /= N
dW2 = h.T @ ds
db2 = ds.sum(0)
dh = ds @ W2.T
dh[h <= 0] = 0
dW1 = X.T @ dh
db1 = dh.sum(0)
""",
        "loss",
        None,
        {"W1": "dW1", "b1": "db1", "W2": "dW2", "b2": "db2"},
        {},
    ),
    (
        "conv1d_loops",
        """
import torch
x = torch.randn(3, 10)
w = torch.randn(4)
y = torch.nn.functional.conv1d(x[:, None], w[None, None])[:, 0]
g = torch.randn(3, 7)
dw = torch.zeros(4)
for k in range(4):
    dw[k] = (g * x[:, k:k + 7]).sum()
dx = torch.zeros(3, 10)
for k in range(4):
    dx[:, k:k + 7] += g * w[3 - k]
""",
        "y",
        "g",
        {"w": "dw", "x": "dx"},
        {"x": "kernel-flipped"},
    ),
    (
        "layer_norm_gamma",
        """
import torch
x = torch.randn(6, 5)
gamma = torch.rand(5) + 0.5
m = x.mean(1, keepdim=True)
v = x.var(1, unbiased=False, keepdim=True)
xh = (x - m) / torch.sqrt(v + 1e-5)
y = xh * gamma
g = torch.randn(6, 5)
dgamma = (g * xh).sum(0)
gh = g
dx = (gh - gh.mean(1, keepdim=True) - xh * (gh * xh).mean(1, keepdim=True)) / torch.sqrt(v + 1e-5)
""",
        "y",
        "g",
        {"gamma": "dgamma", "x": "dx"},
        {"x": "gamma-missing"},
    ),
    (
        "einsum_pointwise",
        """
import torch
x = torch.randn(8, 3, 5, 5)
w = torch.randn(2, 3)
y = torch.einsum('bchw,oc->bohw', x, w)
dy = torch.randn(8, 2, 5, 5)
dw = torch.einsum('bchw,bohw->co', x, dy)
dx = torch.einsum('bohw,oc->bchw', y, w)
""",
        "y",
        "dy",
        {"w": "dw", "x": "dx"},
        {"w": "transposed", "x": "output-instead-of-grad-output"},
    ),
    (
        "conv_with_backward",
        """
import torch
x = torch.randn(2, 3, 6, 6, requires_grad=True)
w = torch.randn(4, 3, 3, 3, requires_grad=True)
y = torch.nn.functional.conv2d(x, w)
dy = torch.randn(2, 4, 4, 4)
y.backward(dy)
with torch.no_grad():
    mine = torch.zeros_like(w)
    for n in range(2):
        for i in range(4):
            for j in range(4):
                mine += torch.einsum('o,ckl->ockl', dy[n, :, i, j], x[n, :, i:i+3, j:j+3])
    print(torch.allclose(mine, w.grad, atol=1e-5))
    dx = torch.nn.functional.conv_transpose2d(dy, w)
    bad = torch.nn.functional.conv_transpose2d(dy, w.transpose(2, 3))
""",
        "y",
        "dy",
        {"w": "mine", "x": "bad"},
        {"x": "kernel-axes-transposed"},
    ),
    (
        "tanh_of_z",
        """
import numpy as np
x = np.linspace(-1, 1, 12).reshape(4, 3)
W = np.arange(6.0).reshape(3, 2) / 10
z = x @ W
y = np.tanh(z)
dy = np.cos(np.arange(8.0)).reshape(4, 2)
dz = dy * (1 - np.tanh(z))
dW = x.T @ dz
""",
        "y",
        "dy",
        {"W": "dW"},
        {"W": "derivative-of-activation-wrong"},
    ),
]
