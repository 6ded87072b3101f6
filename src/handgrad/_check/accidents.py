"""Sizes that a forward takes by accident: axes that are one at the person's sizes, and here are not.

`np.trace` takes a matrix that is not square, and `irfft(rfft(x) * rfft(h))` an x of 9 numbers with an h of 8. Nobody
means that, and a backward that returns a square gradient, or 8 numbers, is not wrong for it. A picture that is square
at the person's sizes need not stay so, though: height and width may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from torch import Tensor

from . import truth
from .case import Case
from .cases import Judged, make
from .inputs import Draw, Spec, draw, ladder, spec_of
from .subjects import Subject, UserCodeError

OUTPUT = ""  # its axes belong to the equal ones as well

Axis = tuple[str, int]


def without_accidents(subject: Subject, judged: Sequence[Judged]) -> tuple[list[Judged], list[str]]:
    """The draws that are meant, and what is to be said of those that are not.

    One is left out where a gradient has another shape than its input, if all that is equal at the person's own sizes
    being equal, the code is right: at those sizes and at another one.
    """
    own = next((one for one in judged if one.draw.own), None)
    if own is None or own.case.bound is not None or not _is_right(own.case):
        return list(judged), []
    pairs = list(_equal(own.case))
    doubted = [one for one in judged if _is_apart(one.case, pairs) and _is_misshapen(one.case)]
    kept = [one for one in judged if all(one is not other for other in doubted)]
    together = _together(subject, own, pairs) if doubted else None
    if together is None or not _is_right(together.case):
        return list(judged), []
    return [*kept, together], [_note(one.draw) for one in doubted]


def _note(one: Draw) -> str:
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in one.inputs.items())
    return f"left out {shapes}: a gradient has another shape there, but axes that are equal in yours differ"


def _shapes(case: Case) -> dict[str, tuple[int, ...]]:
    return {**{name: tuple(value.shape) for name, value in case.inputs.items()}, OUTPUT: tuple(case.output.shape)}


def _equal(case: Case) -> Iterator[tuple[Axis, Axis]]:
    """Axes of one size; not of the size of a square picture, whose height and width need not be equal."""
    shapes = _shapes(case)
    square = {shape[-1] for shape in shapes.values() if len(shape) > 3 and shape[-1] == shape[-2]}
    axes = [(name, axis) for name, shape in shapes.items() for axis, size in enumerate(shape) if size > 1]
    for one, other in combinations(axes, 2):
        if (size := _size(shapes, one)) == _size(shapes, other) and size not in square:
            yield one, other


def _is_apart(case: Case, pairs: Sequence[tuple[Axis, Axis]]) -> bool:
    shapes = _shapes(case)
    return any(_size(shapes, one) != _size(shapes, other) for one, other in pairs)


def _size(shapes: Mapping[str, tuple[int, ...]], axis: Axis) -> int | None:
    shape = shapes[axis[0]]
    return shape[axis[1]] if axis[1] < len(shape) else None


def _is_misshapen(case: Case) -> bool:
    claimed = [(value, case.inputs[name]) for name, value in case.user.items() if name in case.inputs]
    return any(value is not None and value.shape != right.shape for value, right in claimed)


def _is_right(case: Case) -> bool:
    claimed = [name for name, value in case.user.items() if value is not None and name in case.inputs]
    return all(case.is_right(name) for name in claimed)


def _together(subject: Subject, own: Judged, pairs: Sequence[tuple[Axis, Axis]]) -> Judged | None:
    """The person's draw with every size that is there more than once changed wherever it is."""
    shapes = _shapes(own.case)
    doubled = {_size(shapes, axis) for pair in pairs for axis in pair}
    for step in range(4):
        new = {size: ladder(size)[step] for size in doubled if size is not None}
        specs = {name: _resized(value, new) for name, value in own.draw.inputs.items()}
        try:
            made = make(subject, Draw(draw(specs, 11), own.draw.options, "other sizes, equal ones together", own=False))
        except (UserCodeError, truth.NotDifferentiable, truth.NotDeterministic, truth.TooSlow):
            continue
        if not _is_apart(made.case, pairs):
            return made
    return None


def _resized(value: Tensor, new: Mapping[int, int]) -> Spec:
    spec = spec_of(value)
    return Spec(tuple(new.get(size, size) for size in spec.shape), spec.kind, spec.high)
