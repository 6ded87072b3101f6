"""One draw of a convolution whose gradient is wrong, with what was claimed: enough to show how both come about.

It travels from the process that ran the code to the one that reports, so it is numbers in the end. A claim of another
shape may be far larger than the gradient; only its ends are kept then, which is all that a page shows of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

from .._explain.view import thinned
from .case import Case
from .cases import Judged
from .operations.binding import Bound, fitting
from .subjects import Subject

_MOST = 20_000  # numbers of one tensor
_INNER, _OUTER = 8, 2  # what is kept of a large claim, along its last two axes and along the others


@dataclass(frozen=True, eq=False)
class Example:
    """Operands by role, in PyTorch's layout, and of each wrong gradient its name in the report and the claim."""

    operation: str
    options: Mapping[str, Any]
    operands: Mapping[str, Tensor]
    grad_output: Tensor
    claims: Mapping[str, tuple[str, Tensor]]  # by role
    label: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "operation": self.operation,
            "options": dict(self.options),
            "operands": {role: _packed(tensor) for role, tensor in self.operands.items()},
            "grad_output": _packed(self.grad_output),
            "claims": {role: [name, _packed(claim)] for role, (name, claim) in self.claims.items()},
            "label": self.label,
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Example:
        """From JSON values; lists become tuples again."""
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in plain["options"].items()}
        operands = {role: _unpacked(tensor) for role, tensor in plain["operands"].items()}
        claims = {role: (name, _unpacked(claim)) for role, (name, claim) in plain["claims"].items()}
        dy = _unpacked(plain["grad_output"])
        return cls(plain["operation"], options, operands, dy, claims, plain["label"])


def plain_example(subject: Subject, judged: Sequence[Judged]) -> dict[str, Any] | None:
    """The smallest draw of a convolution at which a gradient is wrong, as JSON values, or None.

    In small integers if the code is as wrong with them: their sums can be followed in the head.
    """
    found = [(example, one) for one in judged for example in _of_case(one.case)]
    if not found:
        return None
    example, one = min(found, key=lambda pair: sum(operand.numel() for operand in pair[0].operands.values()))
    with suppress(Exception):  # the code may do whatever it likes with numbers it has not seen before
        wholes = [whole for whole in _of_case(_whole(subject, one)) if whole.claims.keys() == example.claims.keys()]
        example = wholes[0] if wholes else example
    return example.plain()


def _whole(subject: Subject, one: Judged) -> Case:
    """The same draw with every number rounded; raises where the code, or its operation, is not to be had there."""
    known = one.case.bound
    assert known is not None
    inputs = {name: (2 * v).round() if v.is_floating_point() else v for name, v in one.draw.inputs.items()}
    run, grad_output = subject.run(inputs, one.draw.options), (2 * one.case.grad_output).round()
    assert not run.updated
    bound = next(fitting(known.operation, inputs, run.output, lambda *_: [known.options]))
    user, vjp = run.backward(grad_output), bound.vjp(inputs)
    return replace(one.case, inputs=inputs, output=run.output, grad_output=grad_output, user=user, vjp=vjp, bound=bound)


def _of_case(case: Case) -> Iterable[Example]:
    bound = case.bound
    if bound is None or not bound.operation.name.startswith("conv") or bound.convolves:
        return
    operands = bound.operands(bound.inputs)
    claims = {
        role: (name, _in_layout(bound, role, claim, case.truth(name)))
        for role, name in bound.roles.items()
        if (claim := case.user.get(name)) is not None and not case.is_right(name)
    }
    large = max(operand.numel() for operand in (*operands.values(), case.output)) > _MOST
    flat = "bias" not in operands or operands["bias"].dim() == 1  # not one for each place of the output
    if claims and not large and flat:
        dy = bound.grad_output(case.grad_output)
        yield Example(bound.operation.name, bound.options, operands, dy, claims, case.label)


def _in_layout(bound: Bound, role: str, claim: Tensor, truth: Tensor) -> Tensor:
    """A claim in PyTorch's layout, if it has the shape for that."""
    return bound.world.roles[role](claim) if claim.shape == truth.shape else claim


def _packed(tensor: Tensor) -> dict[str, Any]:
    """Shape and numbers, of a large tensor the ends along each axis."""
    kept = _kept(tensor.shape) if tensor.numel() > _MOST else None
    if kept is None:
        return {"shape": list(tensor.shape), "values": tensor.double().flatten().tolist()}
    values = [float(tensor[place]) for place in product(*kept)]
    return {"shape": list(tensor.shape), "values": values, "kept": [list(axis) for axis in kept]}


def _kept(shape: Sequence[int]) -> list[tuple[int, ...]]:
    inner = len(shape) - 2
    return [thinned(tuple(range(n)), _INNER if axis >= inner else _OUTER) for axis, n in enumerate(shape)]


def _unpacked(plain: Mapping[str, Any]) -> Tensor:
    """The tensor; where only its ends were kept, all else is no number."""
    values = torch.tensor(plain["values"], dtype=torch.float64)
    if "kept" not in plain:
        return values.view(plain["shape"])
    whole = torch.full(plain["shape"], float("nan"), dtype=torch.float64)
    for place, value in zip(product(*plain["kept"]), values, strict=True):
        whole[place] = value
    return whole
