"""Where a gradient is wrong: the worst entry, a map, and what the wrong entries have in common."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise

import numpy as np
import torch
from torch import Tensor

from .report import Finding
from .slips.draw import Draw

_SHADES = ".░▒▓█"  # no entry wrong … all wrong


def describe(draw: Draw) -> Finding:
    """The finding `unexplained` for a draw: facts only, no cause."""
    user, truth = draw.user, draw.truth
    if user.shape != truth.shape:
        message = (
            f"shape {tuple(user.shape)} where {tuple(truth.shape)} is needed, and no known slip reproduces its values"
        )
        return Finding(
            "unexplained", message, evidence={"shape": list(user.shape), "expected_shape": list(truth.shape)}
        )
    bad = wrong_entries(user, truth, draw.tolerance)
    worst = worst_index(user, truth)
    mine, right = float(user[worst]), float(truth[worst])
    share = f"{int(bad.sum())} of {bad.numel()} entries are wrong"
    facts = [share, f"the worst at {worst}: {mine:.6g} where {right:.6g} is right", *_statements(draw, bad)]
    evidence = {
        "worst_index": list(worst),
        "user": mine,
        "truth": right,
        "wrong_entries": int(bad.sum()),
        "entries": bad.numel(),
        "correlates_with": facts[2:],
        "map": wrong_map(bad),
    }
    return Finding("unexplained", "; ".join(facts), evidence=evidence)


def wrong_entries(user: Tensor, truth: Tensor, tolerance: float) -> Tensor:
    """True where two tensors of one shape differ by more than rounding; NaN differs."""
    scale = float(truth.abs().max()) if truth.numel() else 0.0
    return ~((user - truth).abs() <= tolerance * (scale + 1e-3))


def worst_index(user: Tensor, truth: Tensor) -> tuple[int, ...]:
    """The index of the largest difference, a NaN before anything."""
    difference = (user - truth).abs().nan_to_num(nan=float("inf"))
    # not torch.unravel_index, which imports sympy
    return tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))


def wrong_map(bad: Tensor) -> str:
    """A picture of the last two axes: how much of each place, over all other axes, is wrong, a character each."""
    plane = bad.double().reshape(-1, *_last_two(bad)).mean(0)
    rows = [[_SHADES[_shade(float(share))] for share in row] for row in plane[:32, :64]]
    return "\n".join("".join(row) for row in rows)


def _last_two(bad: Tensor) -> tuple[int, int]:
    shape = (1, 1, *bad.shape)
    return shape[-2], shape[-1]


def _shade(share: float) -> int:
    return 0 if share == 0 else min(4, 1 + int(share * 3 + 1e-9)) if share < 1 else 4


def _statements(draw: Draw, bad: Tensor) -> Iterator[str]:
    """True statements about the wrong entries; what is wrong everywhere has none of the first kinds."""
    if not torch.isfinite(draw.user).all():
        yield "it contains NaN or infinity"
    if not draw.user.any():
        yield "it is zero everywhere"
    yield from chain.from_iterable(_along(bad, axis) for axis in range(bad.dim()))
    yield from _own_factors(draw) if draw.user.any() else ()
    yield from _along_the_weight(draw)
    if draw.is_elementwise and _agrees_where(bad, draw.input):
        yield (
            "wrong exactly where the input is negative"
            if bad[draw.input < 0].all()
            else "wrong exactly where it is positive"
        )


def _along(bad: Tensor, axis: int) -> Iterator[str]:
    """Which indices of an axis have wrong entries, where not all have: one sample, one channel, a border, a tail."""
    size = bad.shape[axis]
    hit = [index for index in range(size) if bad.select(axis, index).any()]
    if not 0 < len(hit) < size:
        return
    what = ("sample", "channel")[axis] if axis < 2 and bad.dim() > 2 else "index"
    if len(hit) == 1:
        yield f"only {what} {hit[0]} of axis {axis} is wrong"
    elif hit == list(range(hit[0], size)):
        yield f"only the tail of axis {axis}, from {hit[0]} on, is wrong"
    elif set(hit) == {*range(_run(hit)), *range(size - (len(hit) - _run(hit)), size)}:
        yield f"only the border of axis {axis} is wrong: {hit}"
    elif len({b - a for a, b in pairwise(hit)}) == 1:
        yield f"along axis {axis} the indices {hit} are wrong, every {hit[1] - hit[0]}"
    else:
        yield f"along axis {axis} only {hit} are wrong"


def _run(hit: list[int]) -> int:
    """How many of the indices count up from 0."""
    return next((index for index, value in enumerate(hit) if index != value), len(hit))


def _own_factors(draw: Draw) -> Iterator[str]:
    """Each sample, channel or row right up to a factor of its own."""
    user, truth = draw.user, draw.truth
    for axis in range(truth.dim()) if truth.dim() > 1 else ():
        others = [other for other in range(truth.dim()) if other != axis]
        norm = (truth**2).sum(others, keepdim=True)
        factors = (user * truth).sum(others, keepdim=True) / norm
        if (norm > 0).all() and truth.numel() > 2 * truth.shape[axis] and draw.equal(user, factors * truth):
            text = ", ".join(f"{factor:.4g}" for factor in factors.flatten()[:6].tolist())
            yield f"along axis {axis} each index is right up to a factor of its own: {text}"


def _along_the_weight(draw: Draw) -> Iterator[str]:
    """A regularizer that the forward pass has, or one that backward invents."""
    weight, difference = draw.input.to(draw.truth.dtype), draw.user - draw.truth
    if weight.numel() > 2 and weight.shape == difference.shape and weight.any():
        rate = float((difference * weight).sum() / (weight**2).sum())
        if abs(rate) > 1e-12 and draw.equal(difference, rate * weight):
            yield f"it is off by {rate:.6g}·`{draw.name}`"


def _agrees_where(bad: Tensor, x: Tensor) -> bool:
    negative = x < 0
    return bool((bad == negative).all() or (bad == ~negative).all())
