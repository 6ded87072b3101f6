"""The right derivative at the wrong place: 1 − h² of another step's h."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from .. import Path, Slip
from ..elementwise import FORMULAS
from .places import Back, close, value
from .recording import Record, Step

_MOST = 12  # tensors that it could have been taken at


def at_another(record: Record, source: Step, step: Step, derivative: Tensor) -> Mapping[Path, Back]:
    """The derivative's formula, if it has a known one, of whatever else has the shape."""
    own = value(source), value(step)
    formulas = [formula for formula in FORMULAS.values() if any(close(formula(one), derivative) for one in own)]
    found: dict[Path, Back] = {}
    for label, other in islice(_others(record, own), _MOST) if formulas else ():
        for formula in formulas:
            wrong = formula(other)
            if bool(torch.isfinite(wrong).all()) and not close(wrong, derivative):
                message = f"the derivative is taken at {label}, which is not what this step made"
                slip = Slip("derivative-of-activation-wrong", ("at", label), message)
                found[(slip,)] = partial(torch.mul, wrong)
    return found


def _others(record: Record, own: tuple[Tensor, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Other tensors of the shape, that differ from these."""
    made = ((f"`{word}`, line {line}", output) for word, _, output, site, line in record.calls if site)
    seen = list(own)
    for label, one in (*((f"`{name}`", leaf) for name, leaf in record.leaves.items()), *made):
        if isinstance(one, Tensor) and one.shape == own[0].shape and one.is_floating_point():
            plain = one.detach().as_subclass(Tensor)
            if not any(map(plain.equal, seen)):
                seen.append(plain)
                yield label, plain
