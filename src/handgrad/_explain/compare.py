"""Somebody's result beside the right one: which entries are wrong, why, and where their numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .._errors import error
from .._geometry import Ints
from .slips import Slip, slips

if TYPE_CHECKING:
    from .trace import Trace

_TOLERANCE = 1e-5  # of the largest entry: what somebody computed in float32 is not wrong


@dataclass(frozen=True)
class Cause:
    """A slip by its name, what happened in a sentence, and, if known, the line that is right."""

    name: str
    message: str
    fix: str = ""
    operands: Mapping[str, Ints] | None = None  # shapes that met in the wrong expression


@dataclass(frozen=True, eq=False)
class Compared:
    """A result that somebody claims, and where it is wrong (None where its shape is).

    Where the slip is known: `moved` has for each entry, in the order of memory, the one whose number it is, and
    `samples` those that are left of the sum.
    """

    values: Tensor
    wrong: Tensor | None
    causes: tuple[Cause, ...] = ()
    moved: tuple[int, ...] | None = None
    samples: tuple[int, ...] | None = None

    @property
    def count(self) -> int:
        """How many entries are wrong."""
        return self.values.numel() if self.wrong is None else int(self.wrong.sum())


def compared(trace: Trace, name: str, claim: object, findings: Sequence[Any]) -> Compared:
    """Compare; the findings of a check say why, or else whichever known slip gives the same numbers."""
    if not isinstance(claim, Tensor) or claim.is_complex():
        raise error("compare", f"what is compared with {name} must be a real tensor, got {type(claim).__name__}")
    values, right = claim.detach().to("cpu", torch.float64), trace[name]
    if values.shape != right.shape:
        return Compared(values, None, _causes(trace, name, values, findings))
    wrong = ~((values - right).abs() <= _TOLERANCE * right.abs().max())  # NaN is wrong too
    if not bool(wrong.any()):
        return Compared(values, wrong)
    slip = _likeliest(trace, name, values)
    samples = None if slip is None or slip.sample is None else (slip.sample % trace["input"].shape[0],)
    return Compared(values, wrong, _causes(trace, name, values, findings), _moved(trace, slip, right), samples)


def _causes(trace: Trace, name: str, values: Tensor, findings: Sequence[Any]) -> tuple[Cause, ...]:
    """The findings of `hg.check`, or the slip that gives these numbers."""
    if findings:
        return tuple(
            Cause(found.cause, found.message, found.fix or "", found.evidence.get("operands")) for found in findings
        )
    if slip := _likeliest(trace, name, values):
        return (Cause(slip.cause, slip.message),)
    right = trace[name]
    if values.shape != right.shape:
        return (Cause("unexplained", f"its shape is {tuple(values.shape)}, and must be {tuple(right.shape)}"),)
    factor = float((values * right).sum() / (right * right).sum())
    if torch.allclose(values, factor * right, rtol=1e-4, atol=1e-8):
        return (Cause("scale-factor", f"every entry is {factor:.4g} times what it must be"),)
    return (Cause("unexplained", "no slip that is known here gives these numbers"),)


def _likeliest(trace: Trace, name: str, values: Tensor) -> Slip | None:
    """The first slip that gives these numbers."""
    for slip in slips(name):
        try:
            candidate = slip.wrong(trace, trace[name])
        except (RuntimeError, ValueError, IndexError):  # this slip cannot be made here
            continue
        if candidate.shape == values.shape and torch.allclose(candidate, values, rtol=1e-4, atol=1e-8):
            return slip
    return None


def _moved(trace: Trace, slip: Slip | None, right: Tensor) -> tuple[int, ...] | None:
    """The slip made with each entry's own place for its number."""
    if slip is None or not slip.moves:
        return None
    places = torch.arange(right.numel(), dtype=torch.float64).view(right.shape)
    return tuple(int(place) for place in slip.wrong(trace, places).flatten().tolist())
