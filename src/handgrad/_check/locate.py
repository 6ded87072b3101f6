"""Where a wrong gradient is made, and the line that would be right there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import Tensor

from .case import Case
from .cases import Judged
from .fixline import find_line
from .inputs import Draw
from .letters import Axes, axes_of
from .report import Location
from .subjects import Subject, UserCodeError
from .subjects.explaining import operand_shapes
from .subjects.source import Source, maker, source, target


@dataclass(frozen=True)
class Place:
    """The expression that makes a gradient, and the shapes of what stands in it, with the letters of their axes."""

    location: Location
    expression: str
    operands: dict[str, list[int]]
    axes: dict[str, Axes]  # of those operands whose sizes tell them


# Slips that happen where a gradient is brought into its shape; all others happen where it is computed.
_SHAPING = {
    "padding-not-cropped", "wrong-crop", "wrong-rank", "reshape-instead-of-permute", "transposed", "tail-lost",
    "column-form", "missing-batch-sum", "reversed-axes", "wrong-return-order", "channels-swapped",
}  # fmt: skip


def place_of(subject: Subject, name: str, draw: Draw, case: Case, cause: str) -> Place | None:
    """The place in backward where the gradient of `name` is made; None where there is no source to read."""
    found = _backward(subject)
    if found is None:
        return None
    expression = maker(found.tree, name, _position(subject, name), deep=cause not in _SHAPING)
    if expression is None:
        return None
    scope = backward_scope(subject, draw, case.grad_output)
    location = Location(found.file, expression.lineno, expression.col_offset + 1)
    operands = operand_shapes(expression, scope)
    return Place(location, ast.unparse(expression), operands, axes_of(case, operands))


def _backward(subject: Subject) -> Source | None:
    """The source of backward: the last function, or what a forward defines inside and returns."""
    found = source(subject.adapter.functions[-1])
    return found.inner() if found is not None and len(subject.adapter.functions) == 1 else found


def _position(subject: Subject, name: str) -> int | None:
    """Which element of the return statement the gradient of an input is; a class's parameters go by name."""
    if subject.adapter.parameters():
        return 0 if subject.adapter.inputs and name == subject.adapter.inputs[0] else None
    return subject.adapter.inputs.index(name) if name in subject.adapter.inputs else None


def backward_scope(subject: Subject, draw: Draw, grad_output: Tensor) -> dict[str, Any]:
    """The local variables of backward when it returns; empty if it cannot be watched."""
    scope: dict[str, Any] = {}
    found = _backward(subject)
    if found is None:
        return scope
    try:
        run = subject.run(draw.inputs, draw.options)
        with watching(found, scope):
            run.backward(grad_output)
    except UserCodeError:
        pass
    return scope


@contextmanager
def watching(found: Source, scope: dict[str, Any]) -> Iterator[None]:
    """Copy the local variables of every frame that runs this source when it returns."""

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and found.made(frame.f_code):
            scope.update(frame.f_locals)

    before: Callable[..., Any] | None = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(before)


def line_that_is_right(subject: Subject, name: str, draws: Sequence[Draw], judged: Sequence[Judged]) -> str | None:
    """`dw = x.T @ g`: an assignment in the code's own variables that gives the truth at two sizes, or None."""
    found = _backward(subject)
    wanted = [one for one in judged if any(one.draw is draw for draw in draws)][:2]
    if len(wanted) < 2:
        wanted = [*wanted, *(one for one in judged if all(one is not other for other in wanted))][:2]
    if found is None or len(wanted) < 2:
        return None
    scopes = [backward_scope(subject, one.draw, one.case.grad_output) for one in wanted]
    truths = [one.case.truth(name) for one in wanted]
    variable = target(found.tree, name, _position(subject, name))
    for scope in scopes:
        scope.pop(variable, None)
    parameter = name if name in scopes[0] else ""
    line = find_line(scopes[0], truths[0], (scopes[1], truths[1]), parameter)
    return f"{variable} = {line}" if line else None
