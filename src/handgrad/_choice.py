"""What a choice of algorithm rests on, in words."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod
from typing import Any

from torch import Tensor

from . import functional
from ._algorithms import measured, winners
from ._algorithms.choose import by_cost, choose
from ._algorithms.costs import sizes
from ._algorithms.modules import readable, refusal
from ._algorithms.reference import PIECE
from ._algorithms.setting import Setting, noting
from ._errors import error
from ._geometry import ConvGeometry


@dataclass(frozen=True)
class Candidate:
    """One algorithm: what it should take, or took in a race, or why it cannot compute this; and its extra memory."""

    name: str
    milliseconds: float | None
    refusal: str
    memory: str

    def __str__(self) -> str:
        if self.refusal:
            return f"cannot: {self.refusal}"
        time = "not known" if self.milliseconds is None else f"{self.milliseconds:.3g} ms"
        return f"{time}, extra memory {self.memory}"


@dataclass(frozen=True)
class Decision:
    """Which algorithm computes one of the three functions, of which operands, and why."""

    operands: str
    algorithm: str
    why: str
    candidates: tuple[Candidate, ...]

    def __str__(self) -> str:
        rows = {"why": self.why} | {candidate.name: str(candidate) for candidate in self.candidates}
        width = max(map(len, rows))
        return "\n".join([f"{self.algorithm}: {self.operands}", *(f"  {n:{width}}  {row}" for n, row in rows.items())])


@dataclass(frozen=True)
class Choice:
    """A decision for each of the three functions that a call needs; `print` shows it."""

    function: str
    decisions: tuple[Decision, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.function}", *map(str, self.decisions)])


def explain_choice(function: str, *args: Any, **options: Any) -> Choice:
    """What would run if this were called, and why; nothing is computed, and nothing races.

    >>> x, weight = torch.randn(1, 2, 8, 8), torch.randn(4, 2, 3, 3)
    >>> choice = hg.explain_choice("conv2d", x, weight, algorithm="reference")
    >>> choice.decisions[0].why
    'it was asked for by name'

    Args:
        function: the name of a convolution or of a gradient, as "conv2d" or "conv_transpose1d_backward".
        *args, **options: what it would be called with.

    Returns:
        A `Choice` to print: for each of the one or two functions of the bilinear form that the call needs, the
        algorithm, why it is that one, and all of them with their cost or what keeps them from it.

    Raises:
        HandgradError: for another name, and wherever the call itself would raise it.
    """
    known = [name for name in functional.__all__ if name.startswith("conv") and not name.endswith("_bias")]
    if function not in known:
        raise error("explain_choice", f"no function is named {function!r}", known=", ".join(known))
    with noting() as notes:
        getattr(functional, function)(*args, **options)
    return Choice(function, tuple(_decision(function, *note) for note in notes))


def _decision(function: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, setting: Setting) -> Decision:
    operands = measured.kind(op, a, b, geometry)
    races = setting.algorithm == "measured" and readable(a, b)
    times = measured.remembered(op, a, b, geometry, setting.allowed) if races else None
    costs = times or by_cost(op, a, b, geometry, setting)
    candidates = tuple(
        Candidate(
            name,
            seconds * 1000 if 0 < seconds < inf else None,
            refusal(name, op, a, b, geometry),
            _memory(name, op, a, b, geometry),
        )
        for name, seconds in sorted(costs.items(), key=lambda entry: entry[1])
    )
    if races:
        name = candidates[0].name if times else "a race"
        why = f"it won the race in {winners.path()}" if times else f"there is none yet in {winners.path()}"
        return Decision(operands, name, why, candidates)
    name = choose(function, op, a, b, geometry, setting)
    asked = "it was asked for by name" if name == setting.algorithm else "it should cost least of those that can"
    return Decision(operands, name, asked, candidates)


def _memory(name: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:
    """What a call allocates beside its result."""
    _, _, per_group = sizes(op, a, b, geometry)
    columns = per_group * geometry.groups * prod(geometry.kernel) * prod(geometry.output) * a.element_size()
    if name == "reference":
        return f"about {max(PIECE, columns) / 2**20:.3g} MiB of columns, and as much of what becomes of them"
    if name.startswith("native"):
        return f"as PyTorch likes: the unfolded sample is {columns / 2**20:.3g} MiB"
    return "at most 8 MiB a thread"
