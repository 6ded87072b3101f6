"""One table of all layers: what each case is there for, how to build it, and the shape of its input.

A case is built twice from the same words, from `hg.layers` and from `ORACLE`, which is torch.nn. Sizes differ from one
another wherever they can, or an exchange of two axes would hide.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, input: Tensor) -> Tensor:
        return self.body(input) + (input if self.shortcut is None else self.shortcut(input))


ORACLE = SimpleNamespace(**vars(nn) | {"Residual": Residual})


@dataclass(frozen=True)
class Case:
    layer: str
    why: str
    input: tuple[int, ...]
    build: Callable[[Any], nn.Module]
    unbatched: bool = True  # whether a sample without the batch axis means the same
    rows: int = 0  # that the input's integers look up; else it is floating point

    def draw(self, seed: int, size: tuple[int, ...] | None = None) -> Tensor:
        """An input, in float64 or of integers."""
        generator, size = torch.Generator().manual_seed(seed), self.input if size is None else size
        if self.rows:
            return torch.randint(self.rows, size, generator=generator)
        return torch.randn(size, dtype=torch.float64, generator=generator)

    def __str__(self) -> str:
        return f"{self.layer}: {self.why}"


CASES = [
    Case("Conv1d", "the plain one", (3, 2, 7), lambda L: L.Conv1d(2, 4, 3)),
    Case("Conv1d", "rows that the stride never reaches", (3, 2, 12), lambda L: L.Conv1d(2, 4, 3, 3, 1, 2)),
    Case("Conv1d", "same, of an odd total", (3, 2, 7), lambda L: L.Conv1d(2, 4, 4, padding="same")),
    Case("Conv2d", "no bias", (3, 2, 7, 6), lambda L: L.Conv2d(2, 5, (3, 2), bias=False)),
    Case("Conv2d", "every number its own", (3, 4, 11, 9), lambda L: L.Conv2d(4, 6, (3, 2), (2, 3), (1, 2), (1, 2), 2)),
    Case("Conv2d", "depthwise with a multiplier", (2, 3, 6, 5), lambda L: L.Conv2d(3, 6, 3, groups=3)),
    Case("Conv2d", "valid", (2, 3, 6, 5), lambda L: L.Conv2d(3, 4, 2, padding="valid")),
    Case("Conv2d", "same with reflection", (2, 3, 6, 5),
         lambda L: L.Conv2d(3, 4, 4, 1, "same", padding_mode="reflect")),
    Case("Conv2d", "replicated border", (2, 3, 6, 5), lambda L: L.Conv2d(3, 4, 3, 2, 2, padding_mode="replicate")),
    Case("Conv2d", "circular", (2, 3, 6, 5), lambda L: L.Conv2d(3, 4, 3, 1, (2, 1), padding_mode="circular")),
    Case("Conv3d", "every number its own", (2, 2, 5, 6, 7),
         lambda L: L.Conv3d(2, 4, (2, 3, 1), (2, 1, 3), (1, 1, 0), 1, 2)),
    Case("ConvTranspose1d", "the plain one", (3, 2, 5), lambda L: L.ConvTranspose1d(2, 4, 3)),
    Case("ConvTranspose1d", "output padding, no bias", (3, 2, 5),
         lambda L: L.ConvTranspose1d(2, 4, 3, 3, 1, 2, bias=False)),
    Case("ConvTranspose2d", "every number its own", (2, 4, 3, 5),
         lambda L: L.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, True, (2, 1))),
    Case("ConvTranspose3d", "every number its own", (2, 2, 3, 2, 4),
         lambda L: L.ConvTranspose3d(2, 3, (2, 3, 1), (2, 1, 3), (1, 1, 0), (1, 0, 2))),
    Case("Linear", "the plain one", (5, 3), lambda L: L.Linear(3, 4)),
    Case("Linear", "no bias, axes before the last", (2, 5, 3), lambda L: L.Linear(3, 4, bias=False)),
    Case("ReLU", "any shape", (3, 4, 5), lambda L: L.ReLU()),
    Case("ReLU", "in place means nothing", (3, 4, 5), lambda L: L.ReLU(inplace=True)),
    Case("LeakyReLU", "a slope", (3, 4, 5), lambda L: L.LeakyReLU(0.2)),
    Case("LeakyReLU", "a negative slope: the output does not tell the sign", (3, 4, 5), lambda L: L.LeakyReLU(-0.3)),
    Case("Sigmoid", "any shape", (3, 4, 5), lambda L: L.Sigmoid()),
    Case("Tanh", "any shape", (3, 4, 5), lambda L: L.Tanh()),
    Case("GELU", "exact", (3, 4, 5), lambda L: L.GELU()),
    Case("GELU", "approximate", (3, 4, 5), lambda L: L.GELU("tanh")),
    Case("SiLU", "any shape", (3, 4, 5), lambda L: L.SiLU()),
    Case("Softmax", "last axis", (3, 4, 5), lambda L: L.Softmax(-1)),
    Case("Softmax", "channels", (3, 4, 5), lambda L: L.Softmax(1), unbatched=False),
    Case("MaxPool1d", "the plain one", (3, 2, 7), lambda L: L.MaxPool1d(2)),
    Case("MaxPool1d", "overlap, padding, dilation", (3, 2, 11), lambda L: L.MaxPool1d(3, 2, 1, 2)),
    Case("MaxPool2d", "the plain one", (3, 2, 6, 9), lambda L: L.MaxPool2d((2, 3))),
    Case("MaxPool2d", "a window beyond the border", (3, 2, 7, 8), lambda L: L.MaxPool2d(3, 2, 1, ceil_mode=True)),
    Case("MaxPool2d", "every number its own", (3, 2, 9, 8), lambda L: L.MaxPool2d((3, 2), (1, 3), (1, 0), (2, 3))),
    Case("MaxPool3d", "every number its own", (2, 3, 5, 6, 7), lambda L: L.MaxPool3d((2, 3, 2), (1, 2, 3), (1, 1, 0))),
    Case("AvgPool1d", "gaps between the windows", (3, 2, 11), lambda L: L.AvgPool1d(2, 3)),
    Case("AvgPool1d", "overlap, padding counted", (3, 2, 11), lambda L: L.AvgPool1d(4, 2, 2, ceil_mode=True)),
    Case("AvgPool2d", "the plain one", (3, 2, 6, 9), lambda L: L.AvgPool2d((2, 3))),
    Case("AvgPool2d", "padding not counted", (3, 2, 7, 8),
         lambda L: L.AvgPool2d(3, (2, 1), 1, count_include_pad=False)),
    Case("AvgPool2d", "a window beyond the padding", (3, 2, 7, 8), lambda L: L.AvgPool2d(3, 2, (1, 0), ceil_mode=True)),
    Case("AvgPool2d", "another divisor", (3, 2, 7, 8), lambda L: L.AvgPool2d((3, 2), 2, 1, divisor_override=5)),
    Case("AvgPool3d", "beyond, not counted", (2, 3, 5, 6, 7), lambda L: L.AvgPool3d(3, 2, 1, True, False)),
    Case("AvgPool3d", "another divisor", (2, 3, 5, 6, 7), lambda L: L.AvgPool3d((2, 3, 1), 2, divisor_override=7)),
    Case("AdaptiveAvgPool1d", "windows that overlap", (3, 2, 7), lambda L: L.AdaptiveAvgPool1d(5)),
    Case("AdaptiveAvgPool2d", "one number", (3, 2, 7, 8), lambda L: L.AdaptiveAvgPool2d(3)),
    Case("AdaptiveAvgPool2d", "as it is, and larger than the input", (3, 2, 7, 4),
         lambda L: L.AdaptiveAvgPool2d((None, 6))),
    Case("AdaptiveAvgPool2d", "global", (3, 2, 7, 8), lambda L: L.AdaptiveAvgPool2d(1)),
    Case("AdaptiveAvgPool3d", "three numbers", (2, 3, 5, 6, 7), lambda L: L.AdaptiveAvgPool3d((2, None, 3))),
    Case("BatchNorm1d", "no positions", (5, 3), lambda L: L.BatchNorm1d(3), unbatched=False),
    Case("BatchNorm1d", "cumulative", (5, 3, 4), lambda L: L.BatchNorm1d(3, momentum=None), unbatched=False),
    Case("BatchNorm1d", "no shift", (5, 3, 4), lambda L: L.BatchNorm1d(3, bias=False), unbatched=False),
    Case("BatchNorm2d", "the plain one", (4, 3, 2, 5), lambda L: L.BatchNorm2d(3), unbatched=False),
    Case("BatchNorm2d", "no scale", (4, 3, 2, 5), lambda L: L.BatchNorm2d(3, 0.1, 0.3, affine=False), unbatched=False),
    Case("BatchNorm2d", "untracked", (4, 3, 2, 5),
         lambda L: L.BatchNorm2d(3, track_running_stats=False), unbatched=False),
    Case("BatchNorm3d", "the plain one", (4, 3, 2, 5, 3), lambda L: L.BatchNorm3d(3), unbatched=False),
    Case("GroupNorm", "groups of channels", (4, 6, 5, 3), lambda L: L.GroupNorm(2, 6), unbatched=False),
    Case("GroupNorm", "no positions, no scale", (4, 6), lambda L: L.GroupNorm(2, 6, affine=False), unbatched=False),
    Case("LayerNorm", "one axis", (4, 5, 3), lambda L: L.LayerNorm(3)),
    Case("LayerNorm", "two axes, no shift", (4, 5, 3), lambda L: L.LayerNorm((5, 3), bias=False)),
    Case("LayerNorm", "no scale", (4, 5, 3), lambda L: L.LayerNorm(3, 0.1, elementwise_affine=False)),
    Case("Dropout", "some", (3, 4, 5), lambda L: L.Dropout(0.3), unbatched=False),  # each call draws anew
    Case("Dropout", "all", (3, 4, 5), lambda L: L.Dropout(1.0), unbatched=False),
    Case("Embedding", "the plain one", (3, 4), lambda L: L.Embedding(5, 2), rows=5),
    Case("Embedding", "padding, counted from the end", (3, 4, 2), lambda L: L.Embedding(5, 2, padding_idx=-2), rows=5),
    Case("Embedding", "each row by how often it is met", (3, 4),
         lambda L: L.Embedding(5, 2, 1, scale_grad_by_freq=True), unbatched=False, rows=5),
    Case("Sequential", "integers go in", (3, 4), lambda L: L.Sequential(L.Embedding(5, 2), L.Tanh(), L.Linear(2, 3)),
         rows=5),
    Case("Flatten", "all but the batch", (3, 4, 5), lambda L: L.Flatten(), unbatched=False),
    Case("Flatten", "axes in the middle", (2, 3, 4, 5), lambda L: L.Flatten(1, 2), unbatched=False),
    Case("Flatten", "already flat", (3, 4), lambda L: L.Flatten(), unbatched=False),
    Case("Identity", "any shape", (3, 4, 5), lambda L: L.Identity()),
    Case("Sequential", "nested and named", (5, 3), lambda L: L.Sequential(OrderedDict(
        first=L.Linear(3, 4), inner=L.Sequential(L.Tanh(), L.Linear(4, 2)), last=L.Softmax(-1)))),
    Case("Sequential", "empty", (5, 3), lambda L: L.Sequential()),
    Case("Residual", "the way around is the identity", (5, 3),
         lambda L: L.Residual(L.Sequential(L.Tanh(), L.Linear(3, 3)))),
    Case("Residual", "a layer around", (2, 3, 4, 5),
         lambda L: L.Residual(L.Conv2d(3, 2, 3, 2, 1), L.Conv2d(3, 2, 1, 2))),
]  # fmt: skip
