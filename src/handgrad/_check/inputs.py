"""What the checked code is run on: shapes and kinds, values drawn for them, and other sizes that it accepts.

A gradient that is right at one size may be wrong at all others, and two constants of a problem can be told apart
only where its sizes differ. So the sizes that somebody gives are varied: every axis that may change alone does, axes
of one size that only change together do that, and whatever the forward pass refuses stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .._errors import error
from .case import OWN
from .subjects.returned import is_target
from .unused import refuse_repeated

LARGEST = 1 << 28  # numbers in one input; they take 2 GiB
KINDS = ("normal", "int", "bool", "positive", "prob", "onehot", "unit")


@dataclass(frozen=True)
class Spec:
    """The shape of an input, its kind of values, and for integers what they stay below."""

    shape: tuple[int, ...]
    kind: str = "normal"
    high: int = 2

    def draw(self, generator: torch.Generator) -> Tensor:
        """Values of this kind, float64, int64 or bool."""
        if self.kind in ("int", "onehot"):
            high = self.shape[-1] if self.kind == "onehot" else self.high
            indices = torch.randint(high, self.shape[:-1] if self.kind == "onehot" else self.shape, generator=generator)
            return indices if self.kind == "int" else torch.nn.functional.one_hot(indices, high).double()
        normal = torch.randn(self.shape, generator=generator, dtype=torch.float64)
        match self.kind:
            case "bool":
                return normal > 0
            case "positive":
                return normal.abs() + 0.1
            case "prob":
                return normal.softmax(-1)
            case "unit":
                return normal.sigmoid()
        return normal


@dataclass(frozen=True)
class Draw:
    """One set of inputs: tensors by name, and what else the forward is called with."""

    inputs: Mapping[str, Tensor]
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = OWN
    own: bool = True  # whether these are the person's own sizes


def parse(text: str) -> tuple[str, Spec]:
    """`x=2x3x9x7:kind` as name and spec. Raises `HandgradError` for anything else, and for what no memory holds."""
    match = re.fullmatch(r"(\w+)=((?:\d+(?:x\d+)*)?)(?::(\w+))?", text.replace(" ", ""))
    if match is None or (match[3] or "normal") not in KINDS:
        raise error(
            "check",
            f"`--input {text}` is not NAME=SHAPE or NAME=SHAPE:KIND",
            example="x=2x3x9x7",
            kinds=", ".join(KINDS),
        )
    shape = tuple(int(size) for size in match[2].split("x") if size)
    if math.prod(shape) > LARGEST:
        raise error("check", f"`--input {text}` is too large", hint="a smaller size shows the same", limit=LARGEST)
    return match[1], Spec(shape, match[3] or "normal")


def parse_all(texts: Sequence[str]) -> dict[str, Spec]:
    """The specs by name. Raises `HandgradError` if a name comes twice."""
    pairs = [parse(text) for text in texts]
    refuse_repeated("--input", [name for name, _ in pairs])
    return dict(pairs)


def spec_of(value: Tensor) -> Spec:
    """The spec whose draws look like this value, so that other sizes get values of the same kind."""
    shape = tuple(value.shape)
    if value.dtype == torch.bool:
        return Spec(shape, "bool")
    if not value.is_floating_point():
        return Spec(shape, "int", int(value.max()) + 1 if value.numel() else 2)
    if value.numel() == 0 or value.min() < 0:
        return Spec(shape)
    sums_to_one = value.ndim > 0 and torch.allclose(value.sum(-1), torch.ones(()).to(value))
    if ((value == 0) | (value == 1)).all():
        return Spec(shape, "onehot") if sums_to_one and shape[-1] > 1 else Spec(shape, "unit")
    if sums_to_one:
        return Spec(shape, "prob")
    if value.max() < 1 and value.min() > 0:
        return Spec(shape, "unit")
    return Spec(shape, "positive") if value.min() > 0 else Spec(shape)


def with_ranges(specs: Mapping[str, Spec]) -> dict[str, Spec]:
    """Integers that nothing is known of index the smallest last axis of the floating point inputs."""
    last = [spec.shape[-1] for spec in specs.values() if spec.kind != "int" and spec.shape]
    return {n: Spec(s.shape, s.kind, max(2, min(last, default=2))) if s.kind == "int" else s for n, s in specs.items()}


def draw(specs: Mapping[str, Spec], seed: int) -> dict[str, Tensor]:
    """Values for all inputs, always the same for one seed."""
    generator = torch.Generator().manual_seed(seed)
    return {name: spec.draw(generator) for name, spec in specs.items()}


Axis = tuple[str, int]
Sizes = Mapping[Axis, int]


def resized(specs: Mapping[str, Spec], sizes: Sizes) -> dict[str, Spec]:
    """The specs with some of their axes at other sizes."""
    return {
        name: Spec(tuple(sizes.get((name, axis), size) for axis, size in enumerate(spec.shape)), spec.kind, spec.high)
        for name, spec in specs.items()
    }


def other_sizes(
    specs: Mapping[str, Spec], accepts: Callable[[dict[str, Spec]], bool], count: int = 2, *, small: bool = False
) -> list[dict[str, Spec]]:
    """Up to `count` sets of specs with as many axes as possible at other sizes that the code accepts.

    With `small` those sizes are below the given ones where that is possible, for a forward that takes its time.
    """

    def fits(sizes: Sizes) -> bool:
        return accepts(resized(specs, sizes))

    groups = list(_groups(specs, fits))
    taken: dict[tuple[Axis, ...], set[int]] = {group: set() for group in groups}
    found = []
    for _ in range(count):
        sizes: dict[Axis, int] = {}
        for group in groups:
            name, axis = group[0]
            # small sizes are few: they need to differ within a tensor only
            used = {new for (other, _), new in sizes.items() if other == name or not small} | taken[group]
            tried = sorted(ladder(specs[name].shape[axis], small), key=used.__contains__)
            old = specs[name].shape[axis]
            new = next((size for size in tried if fits(dict.fromkeys(group, size))), old)
            taken[group].add(new)
            sizes |= dict.fromkeys(group, new)
        sizes = sizes if fits(sizes) else _together(groups, sizes, fits)
        if any(specs[name].shape[axis] != size for (name, axis), size in sizes.items()):
            found.append(resized(specs, sizes))
    return found


def _together(groups: Sequence[tuple[Axis, ...]], wanted: Sizes, fits: Callable[[Sizes], bool]) -> dict[Axis, int]:
    """The groups at the wanted sizes, without those that do not fit in with the ones before."""
    sizes: dict[Axis, int] = {}
    for group in groups:
        larger = sizes | {axis: wanted[axis] for axis in group}
        if fits(larger):
            sizes = larger
    return sizes


def _groups(specs: Mapping[str, Spec], fits: Callable[[Sizes], bool]) -> Iterator[tuple[Axis, ...]]:
    """Axes that can change alone, then axes of one size that can change together."""
    sizes = {(name, axis): size for name, spec in specs.items() for axis, size in enumerate(spec.shape)}
    first = next(iter(specs), "")
    batch = tuple(axis for axis in sizes if axis == (first, 0) or _shares_batch(specs, first, axis))
    # a size of 1 broadcasts, so changing it means something else; only a batch is known to be free
    left = [axis for axis in sizes if sizes[axis] > 1 or axis in batch]
    alone = [axis for axis in left if axis not in batch[1:] and _any(fits, (axis,), sizes[axis])]
    done: set[Axis] = set()
    for axis in alone:
        group = batch if axis in batch else (axis, *_linked(axis, left, sizes, alone, fits))
        if not done & set(group):
            done |= set(group)
            yield group
    tied = [axis for axis in left if axis not in done]
    for size in sorted({sizes[axis] for axis in tied}):
        yield from _partition(tuple(axis for axis in tied if sizes[axis] == size), size, fits)


def _shares_batch(specs: Mapping[str, Spec], first: str, axis: Axis) -> bool:
    """Whether an axis is surely the batch of the first input too: labels, targets, masks."""
    name, index = axis
    same = name != first and index == 0 and specs[first].shape[:1] == specs[name].shape[:1]
    return same and (specs[name].kind in ("int", "bool") or is_target(name) or specs[name].shape == specs[first].shape)


def _linked(
    axis: Axis, left: Sequence[Axis], sizes: Sizes, alone: Sequence[Axis], fits: Callable[[Sizes], bool]
) -> tuple[Axis, ...]:
    """Axes of other inputs that follow this one: they cannot change without it, though it can without them.

    `p[arange(len(y)), y]` takes a longer p, and then means something else.
    """
    followers = [other for other in left if other[0] != axis[0] and sizes[other] == sizes[axis] and other not in alone]
    return tuple(other for other in followers if _any(fits, (axis, other), sizes[axis]))


def _any(fits: Callable[[Sizes], bool], axes: tuple[Axis, ...], size: int) -> bool:
    """Whether axes of one size can change together to some other size."""
    return any(fits(dict.fromkeys(axes, new)) for new in (size + 1, 2 * size))


def _partition(axes: tuple[Axis, ...], size: int, fits: Callable[[Sizes], bool]) -> Iterator[tuple[Axis, ...]]:
    """Pairs of axes that can change together; if there are none, all of them."""
    pairs: list[tuple[Axis, ...]] = []
    for i, one in enumerate(axes):
        for other in axes[i + 1 :]:
            free = not any(axis in pair for pair in pairs for axis in (one, other))
            if free and _any(fits, (one, other), size):
                pairs.append((one, other))
    left = tuple(axis for axis in axes if not any(axis in pair for pair in pairs))
    yield from pairs
    if len(left) > 1:
        yield left


def ladder(size: int, small: bool = False) -> list[int]:
    """Sizes to try in place of one: near it, multiples of it for what must divide, small ones for large ones."""
    below = [size // 2, size // 2 + 1, size // 3, 2, 3, size - 1] if small else [size - 1]
    near = [size + 1, size + 2, size + 3, size + 4, 2 * size, 3 * size]
    ladder = [*below, *near] if small else [*near, *below]
    return ([9, 10, 8, 12] if size > 12 and not small else []) + [new for new in ladder if new > 1 and new != size]
