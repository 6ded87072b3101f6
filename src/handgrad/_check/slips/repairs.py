"""Slips that leave part of the user's gradient undetermined, undone: what the user returned, made right."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations, product

from . import Results, Slip
from .draw import Draw


def repairs(draw: Draw) -> Results:
    """Every way to bring the user's gradient into the shape of the input."""
    found = chain(_sums(draw), _crops(draw), _parts(draw), _shifts(draw))
    return ((replace(slip, loose=True), value) for slip, value in found)


def _sums(draw: Draw) -> Results:
    user, wanted = draw.user, draw.input.shape
    if not 0 < user.dim() <= 6 or user.numel() <= draw.input.numel():
        return
    for size in range(1, user.dim() + 1):
        for axes in combinations(range(user.dim()), size):
            rest = [user.shape[axis] for axis in range(user.dim()) if axis not in axes]
            if rest == [size for size in wanted if size != 1] or rest == list(wanted):
                yield _unsummed(draw, axes), user.sum(axes).reshape(wanted)


def _unsummed(draw: Draw, axes: tuple[int, ...]) -> Slip:
    shape = tuple(draw.user.shape)
    if axes == (0,) and shape[0] == draw.batch:
        message = f"{shape[0]} gradients, one a sample, of what all samples share: the sum over the batch is right"
        return Slip("missing-batch-sum", None, message, "sum over the batch: `.sum(0)`")
    message = f"a sum is missing: {shape} summed over its axes {axes} is right"
    return Slip("wrong-reduction-axes", ("missing", axes), message, f"`.sum({axes})`")


def _crops(draw: Draw) -> Results:
    user, wanted = draw.user, draw.input.shape
    if user.dim() != len(wanted) or user.shape == wanted:
        return
    more = [have - want for have, want in zip(user.shape, wanted, strict=True)]
    if min(more) < 0 or 0 in user.shape:
        return
    middle = tuple(extra // 2 for extra in more)
    for starts in sorted(product(*(range(extra + 1) for extra in more)), key=lambda starts: starts != middle):
        crop = tuple(slice(start, start + size) for start, size in zip(starts, wanted, strict=True))
        yield _uncropped(starts, more, len(wanted)), user[crop]


def _uncropped(starts: tuple[int, ...], more: list[int], dims: int) -> Slip:
    text = ", ".join(
        f"{start}:{start - extra or ''}" if extra else ":" for start, extra in zip(starts, more, strict=True)
    )
    where = f"the gradient is larger than the input by {tuple(more)}; its part [{text}] is right"
    # padding is on both sides of a spatial axis; what is larger only at its end is a remainder
    padded = any(starts) and dims > 1
    return Slip("padding-not-cropped" if padded else "wrong-crop", None, where, f"crop it: `[{text}]`")


def _parts(draw: Draw) -> Results:
    """A part of the right gradient that does not begin where it does; what is cut off at the end is a tail."""
    user, truth = draw.user, draw.truth
    if user.dim() != truth.dim() or user.dim() < 2 or user.numel() < 2 or user.shape == truth.shape:
        return
    less = [want - have for have, want in zip(user.shape, truth.shape, strict=True)]
    if min(less) < 0:
        return
    for starts in product(*(range(lost + 1) for lost in less)):
        part = truth[tuple(slice(start, start + size) for start, size in zip(starts, user.shape, strict=True))]
        if any(starts) and draw.equal(part, user):
            message = f"only a part of the gradient came back: {tuple(user.shape)}, which begins at {starts}"
            yield Slip("wrong-crop", "part", message, "crop `[pad : pad + size]` on each spatial axis"), truth
            return


def _shifts(draw: Draw) -> Results:
    """Another part of the padded gradient: right where the two parts overlap, moved by a step or more."""
    user, truth = draw.user, draw.truth
    if user.shape != truth.shape or user.dim() < 3 or draw.name != next(iter(draw.inputs)):
        return  # only an image has padding
    spatial = range(2, user.dim())
    for steps in product(
        *(range(-min(3, user.shape[axis] // 2), min(3, user.shape[axis] // 2) + 1) for axis in spatial)
    ):
        if any(steps):
            mine, theirs = _overlap(steps)
            if truth[theirs].abs().max() > 0 and draw.equal(user[mine], truth[theirs]):
                repaired = truth.clone()
                repaired[theirs] = user[mine]
                message = f"the gradient is right but moved by {steps}: the wrong part of the padded gradient was kept"
                yield (
                    Slip("wrong-crop", None, message, "crop `padding` entries at the low side: `[p : p + size]`"),
                    repaired,
                )


def _overlap(steps: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    whole = (slice(None), slice(None))
    mine = (slice(max(0, step), min(0, step) or None) for step in steps)
    theirs = (slice(max(0, -step), min(0, -step) or None) for step in steps)
    return (*whole, *mine), (*whole, *theirs)
