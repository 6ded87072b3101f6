"""Random convolutions of every kind, each told by its seed; their operands where they may lie; what autograd says.

A drawn convolution is a `ConvGeometry`, whose output may be smaller than it could be, as a transposed convolution's
`output_padding` makes it. Operands lie in memory full of NaN: whoever reads beside them, and uses it, is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from random import Random
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from handgrad._geometry import ConvGeometry

Ints = tuple[int, ...]
MOST = 400_000  # products of one convolution: thousands of them are computed
LONGEST = {1: 70, 2: 24, 3: 7}


@dataclass(frozen=True)
class Drawn:
    """One convolution: sizes and the arrangement of x, w and dy in memory."""

    seed: int
    N: int
    C: int
    O: int
    geometry: ConvGeometry
    arrangements: tuple[str, str, str]

    @property
    def sizes(self) -> tuple[Ints, Ints, Ints]:
        """Of x, w and dy."""
        g = self.geometry
        return (self.N, self.C, *g.input), (self.O, self.C // g.groups, *g.kernel), (self.N, self.O, *g.output)

    @property
    def is_whole(self) -> bool:
        """Whether the output is as large as it can be."""
        g = self.geometry
        last = (
            length * s + d * (k - 1) for length, s, d, k in zip(g.output, g.stride, g.dilation, g.kernel, strict=True)
        )
        return all(position >= room for position, room in zip(last, g.padded, strict=True))

    @property
    def products(self) -> int:
        return prod(self.sizes[1]) * self.N * prod(self.geometry.output)

    def operands(self, dtype: torch.dtype = torch.float64) -> list[Tensor]:
        """x, w and dy, the same numbers in every dtype but for rounding."""
        generator = torch.Generator().manual_seed(self.seed)
        pairs = zip(self.sizes, self.arrangements, strict=True)
        return [ARRANGEMENTS[how](torch.randn(size, generator=generator).to(dtype)) for size, how in pairs]


def drawn(seed: int, narrow: bool = False) -> Drawn:
    """The convolution of a seed; `narrow` for groups of at most four channels, several of them."""
    random = Random(seed)
    while True:
        geometry = _geometry(random, narrow)
        per_group, of_group = (random.randint(1, 4), random.randint(1, 4)) if narrow else _channels(random)
        C, O = geometry.groups * per_group, geometry.groups * of_group
        arrangements = tuple(random.choice(["plain", *ARRANGEMENTS]) for _ in range(3))
        found = Drawn(seed, random.choice([1, 1, 2, 3, random.randint(0, 20)]), C, O, geometry, arrangements)
        if found.products <= MOST and max(map(prod, found.sizes)) <= MOST // 4:
            return found


def _geometry(random: Random, narrow: bool) -> ConvGeometry:
    dims = random.choice([1, 2, 2, 2, 3])
    groups = random.randint(2, 12) if narrow else random.choice([1, 1, 1, 1, 2, 3, 5])
    axes = [_axis(random, dims) for _ in range(dims)]
    if random.random() < 0.03:
        axes[random.randrange(dims)] = _long_axis(random)
    grid, output, kernel, stride, dilation, padding = zip(*axes, strict=True)
    return ConvGeometry(grid, output, kernel, stride, dilation, padding, groups)


def _axis(random: Random, dims: int) -> tuple[int, int, int, int, int, tuple[int, int]]:
    """(input, output, kernel, stride, dilation, padding): dense mostly, or wider apart than it reaches."""
    kernel = random.choice([1, 1, 2, 3, 3, 3, 4, 5, 7])
    stride, dilation = random.choice([1, 1, 1, 2, 2, 3, 5]), random.choice([1, 1, 1, 1, 2, 3, 6])
    span = dilation * (kernel - 1) + 1
    most = random.choice([0, 0, span // 2, span // 2, span + 3])
    low = high = random.randint(0, most)
    if random.random() < 0.3:
        high = random.randint(0, most)
    size = random.randint(max(1, span - low - high), max(LONGEST[dims], span - low - high))
    length = (size + low + high - span) // stride + 1
    if random.random() < 0.1:
        length -= random.randint(0, min(2, length - 1))
    return size, length, kernel, stride, dilation, (low, high)


def _long_axis(random: Random) -> tuple[int, int, int, int, int, tuple[int, int]]:
    """More positions than one job takes."""
    size, kernel, stride, pad = (
        random.randint(500, 6000),
        random.randint(1, 3),
        random.randint(1, 2),
        random.randint(0, 2),
    )
    return size, (size + 2 * pad - kernel) // stride + 1, kernel, stride, 1, (pad, pad)


def _channels(random: Random) -> tuple[int, int]:
    """C/G and O/G: few, about a vector or a tile, or at times many on one side."""
    few = [random.choice([1, 1, 2, 3, 4, 5, random.randint(1, 20), random.randint(1, 70)]) for _ in range(2)]
    if random.random() < 0.03:
        few[random.randrange(2)] = random.randint(200, 2000)
    return few[0], few[1]


def _in_order(order: Callable[[int], Ints], gap: int = 0) -> Callable[[Tensor], Tensor]:
    """A copy in the middle of NaN, its axes in memory in this order, with a gap between its rows."""

    def arranged(tensor: Tensor) -> Tensor:
        axes = order(tensor.dim())
        stored = [tensor.shape[axis] for axis in axes]
        roomy = [*stored[:-1], stored[-1] + gap]
        room = tensor.new_full([prod(roomy) + 2 * 67], torch.nan)[67 : 67 + prod(roomy)].view(roomy)
        return room[..., : stored[-1]].permute([axes.index(axis) for axis in range(tensor.dim())]).copy_(tensor)

    return arranged


def _every_second(tensor: Tensor) -> Tensor:
    room = tensor.new_full([*tensor.shape[:-1], 2 * tensor.shape[-1]], torch.nan)
    return room[..., ::2].copy_(tensor)


def _expanded(axis: int) -> Callable[[Tensor], Tensor]:
    """One entry of the axis, everywhere: stride 0."""
    return lambda tensor: tensor if tensor.shape[axis] == 0 else tensor.narrow(axis, 0, 1).clone().expand_as(tensor)


ARRANGEMENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": _in_order(lambda dims: tuple(range(dims))),
    "channels last": _in_order(lambda dims: (0, *range(2, dims), 1)),
    "channels before samples": _in_order(lambda dims: (1, 0, *range(2, dims))),
    "grid turned": _in_order(lambda dims: (0, 1, *reversed(range(2, dims)))),
    "part of wider rows": _in_order(lambda dims: tuple(range(dims)), gap=3),
    "every second": _every_second,
    "one sample": _expanded(0),
    "one channel": _expanded(1),
    "one column": _expanded(-1),
}


class Results(NamedTuple):
    y: Tensor
    dw: Tensor
    dx: Tensor


def by_autograd(case: Drawn, x: Tensor, w: Tensor, dy: Tensor) -> Results:
    """The framework's convolution of a padded input, and what autograd makes of it."""
    g = case.geometry
    # as contiguous as can be: PyTorch writes beside the gradient of a float32 weight (2, 5, 1) with strides (5, 1, 5)
    x, w, dy = (tensor.clone(memory_format=torch.contiguous_format) for tensor in (x, w, dy))
    x, w = x.requires_grad_(), w.requires_grad_()
    # the padding, and rows that are missing where the output is smaller than it could be
    ends = [end for pair in reversed(g.padding) for end in pair]
    conv = (F.conv1d, F.conv2d, F.conv3d)[g.dims - 1]
    whole = conv(F.pad(x, ends), w, None, g.stride, 0, g.dilation, g.groups)
    y = whole[:, :, *(slice(length) for length in g.output)]
    dw, dx = torch.autograd.grad(y, (w, x), dy)
    return Results(y.detach(), dw, dx)
