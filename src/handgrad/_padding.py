"""Padding modes as an index: every padded position names the input position it copies.

Padding reads through the index, and its gradient adds back through the same one. Zeros are not a mode here: the
geometry carries them, and no algorithm ever needs to multiply them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ._errors import error
from ._geometry import ConvGeometry

# position −low … size + high − 1 → the input position it copies
_SOURCES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "reflect": lambda at, size: size - 1 - (size - 1 - at.abs()).abs(),
    "replicate": lambda at, size: at.clamp(0, size - 1),
    "circular": lambda at, size: at % size,
}
MODES = ("zeros", *_SOURCES)


def check_mode(op: str, mode: str, geometry: ConvGeometry) -> None:
    """Raise unless `mode` exists and can fill this much padding: reflect < input, circular ≤ input."""
    if mode not in MODES:
        raise error(op, f"unknown padding mode {mode!r}", known=", ".join(MODES))
    margin = {"reflect": 1, "circular": 0}.get(mode)
    if margin is not None and any(
        max(pair) + margin > size for size, pair in zip(geometry.input, geometry.padding, strict=True)
    ):
        raise error(
            op,
            f"{mode} padding is wider than the input",
            input=geometry.input,
            padding=geometry.padding,
            needed=f"padding {'<' if margin else '≤'} input, in every dimension",
        )


def padded(geometry: ConvGeometry, mode: str) -> ConvGeometry:
    """The geometry that is left once `pad` has filled the borders."""
    if mode == "zeros":
        return geometry
    return replace(geometry, input=geometry.padded, padding=((0, 0),) * geometry.dims)


def pad(x: Tensor, geometry: ConvGeometry, mode: str) -> Tensor:
    """(N, C, *I) → (N, C, *(low + I + high)), the borders copied from within; zeros are left to the geometry."""
    for axis, source in _sources(geometry, mode, x.device):
        x = x.index_select(axis, source)
    return x


def pad_input(grad: Tensor, geometry: ConvGeometry, mode: str) -> Tensor:
    """The gradient of `pad`: (N, C, *(low + I + high)) → (N, C, *I), every copy added to what it was copied from."""
    for axis, source in _sources(geometry, mode, grad.device):
        shape = (*grad.shape[:axis], geometry.input[axis - 2], *grad.shape[axis + 1 :])
        grad = grad.new_zeros(shape).index_add_(axis, source, grad)
    return grad


def _sources(geometry: ConvGeometry, mode: str, device: torch.device) -> list[tuple[int, Tensor]]:
    """(axis, source positions) of each axis that `mode` pads."""
    if mode == "zeros":
        return []
    return [
        (axis, _SOURCES[mode](torch.arange(-low, size + high, device=device), size))
        for axis, (size, (low, high)) in enumerate(zip(geometry.input, geometry.padding, strict=True), start=2)
        if low or high
    ]
