"""The scale γ after a normalisation, by statistics of its own or by given ones: forgotten on the way back."""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import partial

import torch
from torch import Tensor

from .. import Path, Slip
from .places import Back, Place, place_of
from .recording import Record, Step

_TIMES = {"mul", "multiply"}
_DIFFERENCES = {"sub", "subtract"}
MISSING = Slip(
    "gamma-missing", None, "the scale γ is missing: the gradient must be multiplied by it", "multiply by γ first"
)


def places(record: Record, normalised: Set[int]) -> Iterator[Place]:
    """Each product with another tensor behind x̂, or x − μ, or behind (x − μ)/σ with given statistics."""
    given = {step.index for step in record.steps.values() if _is_standardised(record, step)}
    for step in record.steps.values():
        before = record.dominators[step.index]
        behind = (normalised & (before | {step.index})) | (given & before)
        if step.name not in _TIMES or not behind or len(step.sources) != 1 or step.direct:
            continue
        source = record.steps[step.sources[0]]
        gamma = _other(step, source)
        if gamma is not None and gamma.numel() > 1 and source.tensor.shape == step.tensor.shape:
            factor = gamma.detach().as_subclass(Tensor)
            slips: dict[Path, Back] = {(MISSING,): lambda g: g}
            keys = (("gamma", step.site),)
            yield Place(step.index, source.index, partial(torch.mul, factor), slips, keys, place_of(step))


def between(record: Record, source: Step, step: Step) -> Iterator[Tensor]:
    """Each γ that something between two steps is multiplied by, as in γ·(x − μ)/σ."""
    for one in record.steps.values():
        if source.index < one.index <= step.index and one.name in _TIMES and len(one.sources) == 1 and not one.direct:
            gamma = _other(one, record.steps[one.sources[0]])
            if gamma is not None and 1 < gamma.numel() < step.tensor.numel() and one.tensor.shape == step.tensor.shape:
                yield gamma.detach().as_subclass(Tensor)


def _is_standardised(record: Record, step: Step) -> bool:
    """Whether it is (x − μ)/σ, or (x − μ) times 1/σ, with a μ and a σ for each channel that do not depend on x."""
    if step.name not in _TIMES | {"div", "divide", "true_divide"} or len(step.sources) != 1:
        return False
    source = record.steps[step.sources[0]]
    if source.name not in _DIFFERENCES or len(source.sources) > 1:
        return False
    operands = [one for one in (*source.args, *step.args) if isinstance(one, Tensor) and one is not source.output]
    return sum(one.numel() < step.tensor.numel() for one in operands) == 2


def _other(step: Step, source: Step) -> Tensor | None:
    """What a product multiplies its source by."""
    others = [one for one in step.args if isinstance(one, Tensor) and one is not source.output]
    return others[0] if len(others) == 1 else None
