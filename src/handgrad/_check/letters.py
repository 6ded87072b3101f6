"""The axes of somebody's tensors by the project's letters, told by their sizes: dy (4, 2, 12) is (N, O, L).

N batch, C input and O output channels, H and W the image, kh and kw the kernel and K its taps, H′ and W′ the output and
L its positions; in a linear layer I inputs and O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from .case import Case
from .operations.binding import Bound

Axes = tuple[str, ...]
_SPACE = ("D", "H", "W")


def axes_of(case: Case, shapes: Mapping[str, Sequence[int]]) -> dict[str, Axes]:
    """The letters of each tensor, by name, whose shape is that of one thing the operation is made of, and no other."""
    bound = case.bound
    if bound is None or not bound.operation.name.startswith(("conv", "linear")):
        return {}
    sizes, things = _convolution(bound, case) if bound.operation.name.startswith("conv") else _linear(bound, case)
    turned = [(*axes[:-2], axes[-1], axes[-2]) for axes in things if len(axes) > 1]
    known = {axes: [sizes[letter] for letter in axes] for axes in (*things, *turned)}
    found = {name: [axes for axes, size in known.items() if size == list(shape)] for name, shape in shapes.items()}
    return {name: axes[0] for name, axes in found.items() if len(axes) == 1}


def _convolution(bound: Bound, case: Case) -> tuple[dict[str, int], list[Axes]]:
    """The sizes of the letters; images and kernels as they are, and as the rows and columns of products."""
    operands = bound.operands(case.inputs)
    x, weight, y = operands["input"].shape, operands["weight"].shape, bound.standard.shape
    if not 3 <= len(x) == len(y) <= 5:
        return {}, []
    space = _SPACE[-len(x[2:]) :]
    out, taps = [f"{letter}′" for letter in space], [f"k{letter.lower()}" for letter in space]
    sizes = {"N": x[0], "C": x[1], "O": y[1], "K": prod(weight[2:]), "L": prod(y[2:])}
    for letters, those in ((space, x[2:]), (out, y[2:]), (taps, weight[2:])):
        sizes |= dict(zip(letters, those, strict=True))
    first, second = ("C", "O") if bound.operation.name.startswith("conv_transpose") else ("O", "C")
    groups = bound.options.get("groups", 1)
    sizes |= {"C·K": sizes["C"] * sizes["K"], "N·L": sizes["N"] * sizes["L"], f"{second}/G": sizes[second] // groups}
    images = [("N", "C", *space), ("N", "O", *out), ("N", *space, "C"), ("N", *out, "O"), ("O",)]
    if groups > 1 or first == "C":
        return sizes, [*images, (first, f"{second}/G" if groups > 1 else second, *taps)]
    positions, each = ("L", "K") if len(space) > 1 else (out[0], taps[0])
    columns = [("N", "C·K", positions), ("N", "C", each, positions), ("C·K", positions), ("C·K", "N·L"), ("O", "C·K")]
    outputs = [("N", "O", positions), ("O", positions), ("O", "N·L")]
    return sizes, [*images, ("O", "C", *taps), *columns, *outputs]


def _linear(bound: Bound, case: Case) -> tuple[dict[str, int], list[Axes]]:
    x, y = bound.operands(case.inputs)["input"].shape, bound.standard.shape
    sizes = {"N": x[0], "I": x[-1], "O": y[-1]}
    return sizes, [("N", "I"), ("N", "O"), ("O", "I"), ("O",)] if len(x) == 2 else []
