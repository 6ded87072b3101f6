"""Names for a constant factor: the sizes of the problem first, then the number itself."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, combinations
from math import isclose, prod, sqrt

from . import Path, Slip
from .draw import Draw


def scaled(draw: Draw, constant: float) -> Iterator[Path]:
    """Every reading of U = constant · T on this draw, each with slips that other draws can confirm."""
    if constant < 0:
        sign = Slip("wrong-sign", None, "the sign is wrong: yours is −1 times the right one", "negate it")
        if isclose(constant, -1, rel_tol=_rounding(draw)):
            yield (sign,)
            return
        for path in _positive(draw, -constant):
            yield (sign, *path)
    yield from _positive(draw, constant)


def _positive(draw: Draw, constant: float) -> Iterator[Path]:
    for label, count in averages(draw):
        if isclose(constant, 1 / count, rel_tol=_rounding(draw)):
            message = f"an average over {label} = {count} was taken where the derivative is a sum"
            yield (Slip("mean-instead-of-sum", label, message, f"multiply by {label}, or `.sum` for `.mean`"),)
    for label, number in _sizes(draw):
        for text, value in (
            (label, float(number)),
            (f"1/{label}", 1 / number),
            (f"√{label}", sqrt(number)),
            (f"1/√{label}", 1 / sqrt(number)),
        ):
            if isclose(constant, value, rel_tol=_rounding(draw)):
                yield (_factor(text, f"{text} = {constant:.6g}"),)
    text = f"{constant:.6g}"
    yield (_factor(text if _is_plain(constant) else f"{_ODD}{text}", text),)
    if len(set(draw.user.flatten().tolist())) > 1:  # of what is the same everywhere anything such is a multiple
        yield (_factor(NAMELESS, f"{constant:.6g} here, another in each draw,"),)


NAMELESS, _ODD = "varying", "number "


def _is_plain(constant: float) -> bool:
    """2, ⅓, 0.05: numbers that somebody writes."""
    fraction = Fraction(constant).limit_denominator(12)
    return isclose(constant, fraction, rel_tol=1e-6) or isclose(constant * 1000, round(constant * 1000), rel_tol=1e-6)


def vagueness(slip: Slip) -> int:
    """How little a slip says: 2 for some multiple, another one in each draw; 1 for a number that is nothing special."""
    if slip.loose:
        return 1
    if slip.cause != "scale-factor":
        return 0
    return 2 if slip.variant == NAMELESS else int(str(slip.variant).startswith(_ODD))


def _factor(variant: str, text: str) -> Slip:
    message = f"the gradient is off by a constant factor: yours is {text} times the right one"
    return Slip("scale-factor", variant, message, "divide by that factor")


def _rounding(draw: Draw) -> float:
    return 4 * max(draw.tolerance, 1e-9)


def averages(draw: Draw) -> Iterator[tuple[str, int]]:
    """The products of sizes that a sum in the backward pass can run over: axes of grad_output, for a loss of x."""
    shape = draw.g.shape if draw.g.dim() else next(iter(draw.inputs.values())).shape
    axes = range(len(shape))
    found: set[tuple[str, int]] = set()
    for size in range(1, len(shape) + 1):
        for chosen in combinations(axes, size):
            value = prod(shape[axis] for axis in chosen)
            if value > 1:
                found.update((label, value) for label in _axes_labels(chosen, len(shape)))
            if value > 1 and chosen == tuple(axes)[:-1]:  # N for a matrix, N·T for a sequence
                found.add((_ROWS, value))
    yield from sorted(found, key=lambda entry: (_ORDER.get(entry[0], 9), entry[0]))


_ROWS = "all axes but the last"
_ORDER = {"N": 0, "L": 1, "N·L": 2, "all entries": 3}


def _axes_labels(axes: tuple[int, ...], dims: int) -> list[str]:
    """(0,) is N, all axes from 2 are L, with the batch N·L, which for a matrix is N as well; else they are listed."""
    spatial = tuple(range(2, dims))
    if axes == tuple(range(dims)) and dims > 1:
        return ["all entries"]
    known = {"N": (0,), "L": spatial, "N·L": (0, *spatial)}
    return [label for label, meant in known.items() if meant == axes] or [f"axes {axes}"]


def _sizes(draw: Draw) -> Iterator[tuple[str, int]]:
    """Every size of the problem, and their products where they mean something."""
    kernel = draw.options.get("kernel_size")
    if kernel is not None:
        dims = draw.g.dim() - 2
        yield "K", kernel**dims if isinstance(kernel, int) else prod(kernel)
    yield from averages(draw)
    tensors = chain(draw.inputs.items(), [("the output", draw.y)])
    for name, tensor in tensors:
        for axis, size in enumerate(tensor.shape):
            if size > 1:
                yield f"size {axis} of {name}", size
                yield f"(size {axis} of {name} − 1)", size - 1
        if tensor.dim() > 2:
            yield f"K of {name}", prod(tensor.shape[2:])
            yield f"C·K of {name}", prod(tensor.shape[1:])
