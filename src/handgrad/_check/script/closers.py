"""What may still be wrong with a whole value, once it is there: closers make the truth of it, or do not.

A closer is a template of source text, `{}.sum(0)`, so that what is verified is what is shown.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ..case import same
from ..subjects.calling import gradient

TOLERANCE = 1e-6
Namespace = Mapping[str, Any]


@dataclass(frozen=True)
class Closer:
    """`template` applied to the value gives the truth; each (cause, message) is a slip that it undoes."""

    template: str
    slips: tuple[tuple[str, str], ...]
    factor: float | None = None  # what the value is a multiple of the truth by, if that is what is wrong

    @property
    def causes(self) -> tuple[str, ...]:
        """What is the same at all sizes; a crop's own numbers are not."""
        return tuple(cause for cause, _ in self.slips)


@dataclass(frozen=True)
class Target:
    """The variable whose gradient is wanted, by its name in the script, and what its gradient is."""

    name: str
    truth: Tensor
    folds: tuple[str, ...] = ()  # templates of the fold that belongs to an unfold of the script


def closers(value: Any, target: Target, namespace: Namespace) -> Iterator[Closer]:
    """Every closer that makes the truth of `value`, the fewest slips first."""
    for template, slips in itertools.chain(_shapes(value, target), _folds(target), _arrangements(value, target)):
        if closes(template, value, target, namespace):
            yield Closer(template, tuple(slips))
    tensor = gradient(value)
    if tensor is not None:
        yield from _factors(tensor, target)


def closes(template: str, value: Any, target: Target, namespace: Namespace) -> bool:
    """Whether a template makes the truth of a value."""
    try:
        result = gradient(eval(template.format("_value"), dict(namespace), {"_value": value}))
    except Exception:  # a template that does not fit raises whatever it likes
        return False
    return result is not None and same(result, target.truth, TOLERANCE)


def _like(target: Target, value: Any) -> str:
    """The reshape to the variable's shape."""
    return f".view_as({target.name})" if isinstance(value, Tensor) else f".reshape({target.name}.shape)"


def _shapes(value: Any, target: Target) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Itself, reshaped, summed over the batch or over other axes."""
    shape, wanted = tuple(getattr(value, "shape", ())), tuple(target.truth.shape)
    size, size_wanted = int(np.prod(shape)), target.truth.numel()
    yield "{}", []
    rank = ("wrong-rank", f"the values are right in the shape {shape}; `{target.name}` has {wanted}")
    if size == size_wanted:
        yield "{}" + _like(target, value), [rank]
        yield f"{{}}.reshape({target.name}.shape)", [rank]
    for count in range(1, len(shape) + 1):
        for axes in itertools.combinations(range(len(shape)), count):
            if size_wanted * int(np.prod([shape[a] for a in axes])) == size:
                yield from _sums(value, axes, target)


def _sums(value: Any, axes: tuple[int, ...], target: Target) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    shape, wanted = tuple(value.shape), tuple(target.truth.shape)
    # a bias that is a column, or a number, stands for all samples of a matrix with one in each column
    columns = len(shape) == 2 and axes in ((1,), (0, 1)) and wanted in ((), (shape[0], 1))
    if axes == (0,) or (columns and math.prod(wanted) == shape[0]):
        slip = ("missing-batch-sum", f"{shape} is one gradient a sample; they must be added up, `.sum({axes[-1]})`")
    else:
        slip = ("wrong-reduction-axes", f"{shape} must be summed over {axes if len(axes) > 1 else axes[0]} too")
    call = f"{{}}.sum({axes[0] if len(axes) == 1 else axes})"
    yield call, [slip]
    yield call + _like(target, value), [slip]


def _folds(target: Target) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    message = f"this is the gradient of the unfolded columns; that of `{target.name}` is its fold"
    for template in target.folds:
        yield template, [("column-form", message)]


def _arrangements(value: Any, target: Target) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Axes exchanged, a kernel flipped, padding left on."""
    shape, wanted = tuple(getattr(value, "shape", ())), tuple(target.truth.shape)
    transpose = "transpose" if isinstance(value, Tensor) else "swapaxes"
    if len(wanted) in (2, 3) and len(shape) == len(wanted):
        yield "{}.T" if len(wanted) == 2 else "{}.mT", [("transposed", f"{shape} is the transpose of {wanted}")]
    if len(shape) == 4 == len(wanted):
        yield f"{{}}.{transpose}(0, 1)", [("channels-swapped", f"the first two axes of {shape} are exchanged")]
        yield f"{{}}.{transpose}(2, 3)", [("kernel-axes-transposed", f"the last two axes of {shape} are exchanged")]
        yield (
            "{}[..., ::-1, ::-1]" if transpose == "swapaxes" else "{}.flip(2, 3)",
            [("kernel-flipped", "the kernel's axes run backwards")],
        )
    if len(shape) == len(wanted) >= 3 and shape[:-2] == wanted[:-2]:
        pads = [(a - b) // 2 for a, b in zip(shape, wanted, strict=True)]
        if pads[-1] > 0 and pads[-2] > 0 and all((a - b) % 2 == 0 for a, b in zip(shape, wanted, strict=True)):
            crop = f"{{}}[..., {pads[-2]}:-{pads[-2]}, {pads[-1]}:-{pads[-1]}]"
            yield crop, [("padding-not-cropped", f"{shape} is the gradient of the padded `{target.name}`")]


def _factors(value: Tensor, target: Target) -> Iterator[Closer]:
    """A constant multiple, also of another rank."""
    if value.numel() != target.truth.numel() or value.numel() == 0 or not bool(target.truth.any()):
        return
    flat, truth = value.reshape(-1), target.truth.reshape(-1)
    factor = float(flat @ truth / (truth @ truth))
    if abs(factor) > 1e-9 and same(flat / factor, truth, TOLERANCE):
        like = "" if value.shape == target.truth.shape else f".reshape({target.name}.shape)"
        rank = [("wrong-rank", f"{tuple(value.shape)} is not {tuple(target.truth.shape)}")] if like else []
        yield Closer("{}" + like, (*rank, ("scale-factor", f"off by the factor {factor:.6g}")), factor)


def constant_name(factors: list[float], sizes: list[Mapping[str, int]]) -> tuple[str, str, str] | None:
    """(cause, name, template that undoes it) of a factor that was `factors[i]` where the sizes were `sizes[i]`."""
    if _all_near(factors, [factors[0]] * len(factors)) and (len(factors) > 1 or abs(factors[0]) in (0.5, 1.0, 2.0)):
        if _all_near(factors, [-1.0]):
            return "wrong-sign", "−1", "-{}"
        return "scale-factor", f"{factors[0]:.6g}", f"{{}} / {factors[0]:.12g}"
    for name in sizes[0]:
        if not all(name in there for there in sizes):
            continue
        values = [float(there[name]) for there in sizes]
        if _all_near(factors, [1 / value for value in values]):
            return "mean-instead-of-sum", f"1 / {name}", f"{{}} * {name}"
        for power, text in ((1.0, name), (0.5, f"{name} ** 0.5"), (-0.5, f"{name} ** -0.5")):
            if _all_near(factors, [value**power for value in values]):
                return "scale-factor", text, f"{{}} / {text}"
    return None


def _all_near(factors: list[float], wanted: list[float]) -> bool:
    return all(abs(f - w) < 1e-7 * abs(w) for f, w in zip(factors, wanted, strict=False))
