"""The sizes at which the programs are run, and the real operation of each `--like`.

All sizes of a draw differ where the operation lets them, and hardly a stride divides, so that nothing hides.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .play import Array
from .table import GEOMETRY, Entry

# operation → two draws, each the shapes of its operands in PyTorch's order
SIZES: dict[str, list[list[tuple[int, ...]]]] = {
    "conv1d": [[(3, 2, 11), (4, 2, 3), (4,)], [(2, 3, 14), (5, 3, 4), (5,)]],
    "conv2d": [[(3, 2, 10, 11), (4, 2, 3, 2), (4,)], [(2, 3, 9, 13), (5, 3, 2, 3), (5,)]],
    "conv3d": [[(2, 3, 5, 6, 7), (4, 3, 2, 3, 2), (4,)], [(3, 2, 4, 6, 5), (5, 2, 3, 2, 2), (5,)]],
    "conv_transpose2d": [[(3, 2, 4, 5), (2, 4, 3, 2), (4,)], [(2, 3, 5, 3), (3, 5, 2, 3), (5,)]],
    "linear": [[(6, 5), (3, 5), (3,)], [(4, 7), (2, 7), (2,)]],
    "relu": [[(5, 7)], [(3, 4, 6)]],
    "max_pool2d": [[(3, 2, 7, 9)], [(2, 3, 9, 5)]],
    "avg_pool2d": [[(3, 2, 7, 9)], [(2, 3, 9, 5)]],
    "batch_norm": [[(7, 4), (4,), (4,)], [(5, 3), (3,), (3,)]],
    "layer_norm": [[(5, 6), (6,), (6,)], [(7, 4), (4,), (4,)]],
    "softmax": [[(5, 6)], [(7, 4)]],
    "cross_entropy": [[(6, 4), (6,)], [(5, 3), (5,)]],
    "attention": [[(3, 5, 4), (3, 6, 4), (3, 6, 4)], [(2, 4, 3), (2, 5, 3), (2, 5, 3)]],
}
GROUPED = [[(3, 4, 10, 11), (6, 2, 3, 2), (6,)], [(2, 6, 9, 13), (4, 3, 2, 3), (4,)]]
SETTINGS = {*GEOMETRY, "kernel_size", "eps"}


def draws(entry: Entry, names: list[str]) -> list[list[Array]]:
    """The inputs of each run: `--like` at its two sizes, `--input` as written and once more with other numbers."""
    rng = np.random.default_rng(11)
    if entry.like is None:
        shapes = dict(text.split("=") for text in entry.options("input"))
        ordered = [tuple(map(int, shapes[name].split("x"))) for name in names if name in shapes]
        return [[rng.standard_normal(shape) for shape in ordered] for _ in range(2)]
    sizes = GROUPED if entry.geometry.get("groups", 1) > 1 else SIZES[entry.like]
    operands = [name for name in names if name not in SETTINGS]
    return [[_numbers(entry.like, i, s, rng) for i, s in enumerate(shapes[: len(operands)])] for shapes in sizes]


def _numbers(like: str, position: int, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    classes = like == "cross_entropy" and position == 1
    return rng.integers(0, 3, shape) if classes else rng.standard_normal(shape)


def reference(like: str, operands: list[Array], geometry: dict[str, int]) -> Array:
    """The real operation."""
    tensors = [torch.from_numpy(np.array(value)) for value in operands]
    if like == "batch_norm":
        return F.batch_norm(tensors[0], None, None, *tensors[1:], training=True).numpy()
    if like == "layer_norm":
        return F.layer_norm(tensors[0], tensors[0].shape[-1:], *tensors[1:]).numpy()
    if like == "softmax":
        return tensors[0].softmax(-1).numpy()
    if like == "attention":
        return F.scaled_dot_product_attention(*tensors).numpy()
    extra = {"kernel_size": 2, "stride": 2} if like.endswith("pool2d") else geometry
    return getattr(F, like)(*tensors, **extra).numpy()
