"""Convolutions large enough for several jobs, blocks and partial sums; small enough to compute often."""

from __future__ import annotations

from typing import Any

from geometries import Drawn

from handgrad._geometry import conv_geometry


def sized(N: int, C: int, O: int, grid: tuple[int, ...], kernel: tuple[int, ...], **options: Any) -> Drawn:
    """A convolution of ordinary operands; options: stride, padding, dilation, groups."""
    stride, padding, dilation = (options.get(name, default) for name, default in
                                 (("stride", 1), ("padding", 0), ("dilation", 1)))  # fmt: skip
    geometry = conv_geometry("test", grid, kernel, stride, padding, dilation, options.get("groups", 1))
    return Drawn(0, N, C, O, geometry, ("plain", "plain", "plain"))


LARGE = {
    "one long row": sized(1, 3, 5, (5000,), (5,), padding=2),
    "a row in groups": sized(3, 12, 18, (700,), (3,), stride=3, groups=3),
    "many samples of small images": sized(40, 16, 24, (7, 7), (3, 3), padding=1),
    "many channels and one tap": sized(3, 300, 70, (12, 11), (1, 1)),
    "first layer": sized(5, 1, 32, (28, 28), (3, 3), padding=1),
    "with a stride": sized(3, 8, 19, (60, 61), (3, 4), stride=(2, 3), padding=(1, 2)),
    "dilated, most taps in the padding": sized(2, 20, 13, (14, 15), (3, 3), padding=12, dilation=12),
    "each channel alone": sized(4, 48, 48, (28, 27), (3, 3), padding=1, groups=48),
    "each channel twice, with a stride": sized(3, 24, 48, (31, 30), (5, 5), stride=2, padding=2, groups=24),
    "a volume": sized(2, 5, 6, (9, 20, 21), (3, 2, 3), padding=(1, 0, 1)),
}
