"""The line that is right: a contraction of tensors in scope that equals the truth, in the user's own variables.

A gradient of a bilinear form is a contraction of two tensors that the code already has. So candidates are listed by
their shapes, shortest first: a tensor or its sum, a product of two matrices, an einsum; each may be summed over the
batch, brought to the variable's shape, or folded. A line counts only if it equals the truth at a second size, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from .case import same
from .subjects.calling import gradient

T = TypeVar("T")
Scope = Mapping[str, Any]  # tensors or arrays by their names in the user's code
TOLERANCE = 1e-6
_LETTERS = "nabcdefghijkl"
_AT_MOST = 12  # tensors that are looked at; two of them make a product
_AT_MOST_EQUATIONS, _AT_MOST_MATCHINGS = 300, 3000  # einsums of two tensors: of eight axes there are millions


def find_line(
    scope: Scope, truth: Tensor, second: tuple[Scope, Tensor], target_name: str, folds: Sequence[str] = ()
) -> str | None:
    """An expression in the names of `scope` that equals `truth`, and the second truth in the second scope; or None.

    `target_name` is the variable whose gradient it is; it may stand in the expression for its shape. `folds` are
    further templates to try around an expression, `torch.nn.functional.fold({}, (28, 28), 3)`.
    """
    names = [name for name in scope if name.isidentifier() and is_tensor(scope[name]) and name in second[0]]
    small = min((scope, truth), second, key=lambda place: sum(_size(value) for value in place[0].values()))
    for line in candidates({name: small[0][name] for name in names[:_AT_MOST]}, small[1], target_name, folds):
        if all(holds(line, *place) for place in (small, (scope, truth), second)):
            return line
    return None


def holds(line: str, scope: Scope, truth: Tensor) -> bool:
    """Whether a line, run in this scope, gives the truth, shape and all."""
    try:
        value = gradient(eval(line, {"torch": torch, "np": np}, dict(scope)))
    except Exception:  # a line that does not fit its operands raises whatever it likes
        return False
    return value is not None and bool(value.isfinite().all()) and same(value, truth, TOLERANCE)


def candidates(scope: Scope, truth: Tensor, target: str, folds: Sequence[str] = ()) -> Iterator[str]:
    """Lines whose result can have the right number of entries: products before einsums, short ones first."""
    shapes = {name: tuple(value.shape) for name, value in scope.items()}
    numpy = any(isinstance(value, np.ndarray) for value in scope.values())
    for group in (_sums(shapes), _products(shapes, numpy)):
        lines = (line for core, shape in group for line in _finished(core, shape, truth, target, numpy, folds))
        yield from sorted(set(lines), key=lambda line: (len(line), line))
    yield from _einsums(shapes, tuple(truth.shape), numpy)


def is_tensor(value: Any) -> bool:
    """Whether a value may stand in a line: a tensor or an array of floating-point numbers, no scalar."""
    if isinstance(value, Tensor):
        return value.is_floating_point() and value.dim() > 0
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim > 0


def _size(value: Any) -> int:
    return int(np.prod(value.shape)) if hasattr(value, "shape") else 0


Core = tuple[str, tuple[int, ...]]


def _sums(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Core]:
    """A tensor summed over some axes: the gradient of a bias, of something broadcast."""
    for name, shape in shapes.items():
        yield name, shape
        for count in range(1, len(shape) + 1):
            for axes in itertools.combinations(range(len(shape)), count):
                left = tuple(size for axis, size in enumerate(shape) if axis not in axes)
                yield f"{name}.sum({axes[0] if count == 1 else axes})", left


def _matrices(name: str, shape: tuple[int, ...], numpy: bool) -> Iterator[Core]:
    """A tensor as a matrix, or a batch of them, both ways round; more axes are flattened at either end."""
    forms = [(name, shape)] if len(shape) in (2, 3) else []
    if len(shape) >= 3:
        rest = int(np.prod(shape[1:]))
        forms.append((f"{name}.reshape({name}.shape[0], -1)" if numpy else f"{name}.flatten(1)", (shape[0], rest)))
    if len(shape) >= 4:
        flat = f"{name}.reshape(*{name}.shape[:2], -1)" if numpy else f"{name}.flatten(2)"
        forms.append((flat, (*shape[:2], int(np.prod(shape[2:])))))
    for text, form in forms:
        yield text, form
        yield text + (".T" if len(form) == 2 else ".mT"), (*form[:-2], form[-1], form[-2])


def _products(shapes: Mapping[str, tuple[int, ...]], numpy: bool) -> Iterator[Core]:
    """`left @ right`, for every two matrices whose inner sizes agree."""
    matrices = [form for name, shape in shapes.items() for form in _matrices(name, shape, numpy)]
    for (left, a), (right, b) in itertools.product(matrices, matrices):
        if a[-1] == b[-2] and (len(a) == 2 or len(b) == 2 or a[0] == b[0]):
            batch = a[:-2] or b[:-2]
            yield f"{left} @ {right}", (*batch, a[-2], b[-1])


def _finished(
    core: str, shape: tuple[int, ...], truth: Tensor, target: str, numpy: bool, folds: Sequence[str]
) -> Iterator[str]:
    """The core as it is, summed over the batch, reshaped, folded: whatever gives the wanted number of entries."""
    wanted, size = tuple(truth.shape), int(np.prod(shape))
    whole = f"({core})" if " " in core else core
    like = f".reshape({target}.shape)" if numpy else f".view_as({target})"
    if shape == wanted:
        yield core
    if size == truth.numel() and shape != wanted:
        yield whole + like
    if len(shape) == 3 and " " in core and size == truth.numel() * shape[0]:
        yield f"{whole}.sum(0)" + ("" if shape[1:] == wanted else like)
    if len(shape) == 3:
        yield from (fold.format(core) for fold in folds)


def _einsums(shapes: Mapping[str, tuple[int, ...]], wanted: tuple[int, ...], numpy: bool) -> Iterator[str]:
    """Every einsum of two tensors that contracts axes of one size and gives the wanted axes."""
    call = "np.einsum" if numpy else "torch.einsum"
    for (left, a), (right, b) in itertools.combinations(shapes.items(), 2):
        for equation in itertools.islice(_equations(a, b, wanted), _AT_MOST_EQUATIONS):
            yield f'{call}("{equation}", {left}, {right})'


def _equations(a: Sequence[int], b: Sequence[int], wanted: Sequence[int]) -> Iterator[str]:
    first = _LETTERS[: len(a)]
    for matched in itertools.islice(_matchings(a, b), _AT_MOST_MATCHINGS):
        fresh = iter(_LETTERS[len(a) :])
        second = "".join(first[matched[j]] if j in matched else next(fresh) for j in range(len(b)))
        sizes = dict(zip(first + second, (*a, *b), strict=True))
        for output in _distinct([[letter for letter in sizes if sizes[letter] == size] for size in wanted]):
            yield f"{first},{second}->{''.join(output)}"


def _matchings(a: Sequence[int], b: Sequence[int]) -> Iterable[dict[int, int]]:
    """Which axes of b are axes of a: every way to pair axes of one size, most pairs first."""
    alike = [[i for i, size in enumerate(a) if size == other] for other in b]
    for count in range(min(len(a), len(b)), 0, -1):
        for axes in itertools.combinations(range(len(b)), count):
            for partners in _distinct([alike[j] for j in axes]):
                yield dict(zip(axes, partners, strict=True))


def _distinct(choices: Sequence[Sequence[T]], taken: tuple[T, ...] = ()) -> Iterator[tuple[T, ...]]:
    """One of each of the choices, no two the same."""
    if len(taken) == len(choices):
        yield taken
    for one in choices[len(taken)] if len(taken) < len(choices) else ():
        if one not in taken:
            yield from _distinct(choices, (*taken, one))
