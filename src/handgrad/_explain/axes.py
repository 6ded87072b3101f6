"""One spatial axis of a convolution: the law, and what stands at each padded position.

    position = p · stride + k · dilation − low          p of the output, k of the kernel

Positions count from the input's first entry, so those of the padding are negative or at least the input's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from .._geometry import ConvGeometry
from .._padding import pad


class Meeting(NamedTuple):
    """Output position p and tap k meet at a padded position."""

    p: int
    k: int
    position: int


@dataclass(frozen=True)
class Axis:
    """The numbers of one axis; `sources` has, for each position from −low on, the input entry that stands there."""

    input: int
    output: int
    kernel: int
    stride: int
    dilation: int
    low: int
    high: int
    sources: tuple[int | None, ...]  # None where the padding is zero

    @property
    def positions(self) -> range:
        """All of the padded input."""
        return range(-self.low, self.input + self.high)

    def position(self, p: int, k: int) -> int:
        """The law."""
        return p * self.stride + k * self.dilation - self.low

    def source(self, position: int) -> int | None:
        """The input entry that stands at a padded position."""
        return self.sources[position + self.low]

    def meetings(self, position: int, copies: bool) -> Iterator[Meeting]:
        """What meets at a padded position; with `copies`, also what meets where padding copied its entry to."""
        for p in range(self.output):
            for k in range(self.kernel):
                at = self.position(p, k)
                if at == position or (copies and self.source(at) == position):
                    yield Meeting(p, k, at)


def axes_of(geometry: ConvGeometry, padding_mode: str) -> tuple[Axis, ...]:
    """The axes of a geometry."""
    numbers = zip(
        geometry.input,
        geometry.output,
        geometry.kernel,
        geometry.stride,
        geometry.dilation,
        geometry.padding,
        strict=True,
    )
    return tuple(
        Axis(size, length, taps, stride, dilation, low, high, _sources(size, low, high, padding_mode))
        for size, length, taps, stride, dilation, (low, high) in numbers
    )


def _sources(size: int, low: int, high: int, padding_mode: str) -> tuple[int | None, ...]:
    if padding_mode == "zeros":
        return (*[None] * low, *range(size), *[None] * high)
    line = ConvGeometry((size,), (1,), (1,), (1,), (1,), ((low, high),), 1)
    return tuple(pad(torch.arange(size).view(1, 1, size), line, padding_mode).flatten().tolist())
