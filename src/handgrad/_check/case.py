"""One draw of one piece of code: its inputs, what its backward pass returned, and the truth.

A diagnosis sees somebody's code only through cases. Everything in a case is a float64 torch tensor (integer and
boolean inputs keep their dtype), whatever the code itself is written in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from .operations import Bound
    from .slips import Path

# The true backward pass as a function of grad_output: linear, one gradient for every differentiable input.
Vjp = Callable[[Tensor], Mapping[str, Tensor]]

OWN = "your sizes"  # the label of the draw that a person gave


@dataclass(frozen=True)
class Tracked:
    """One forward pass under autograd."""

    output: Tensor  # with its graph
    leaves: Mapping[str, Tensor]  # what it can be differentiated with respect to
    single: bool = False  # whether float32 has crept in


@dataclass(frozen=True)
class Case:
    """`user[name]` claims to be the gradient of `inputs[name]`; the truth is `vjp(grad_output)[name]`."""

    inputs: Mapping[str, Tensor]  # in the forward's order, then a class's parameters; names as in the report
    output: Tensor
    grad_output: Tensor
    user: Mapping[str, Tensor | None]  # as returned, of any shape; None where nothing came back
    vjp: Vjp
    bound: Bound | None = None  # the operation declared by --like, or recognised by its values, on these inputs
    rerun: Callable[..., Mapping[str, Tensor | None]] | None = None  # the user's backward again: rerun(grad_output)
    run_at: Callable[..., Mapping[str, Tensor | None]] | None = None  # and at others: run_at(inputs, grad_output)
    saved: Mapping[str, Tensor] = field(default_factory=dict)  # tensors that the code kept: ctx, cache, attributes
    tolerance: float = 1e-8  # what counts as rounding here, relative to the largest entry: float32 code needs more
    returned_count: int | None = None  # how many gradients backward returned, where the order says which is which
    linearize: Callable[[Mapping[str, Tensor]], Vjp] | None = None  # the truth at other inputs of the same shapes
    call_options: Mapping[str, Any] = field(default_factory=dict)  # what else the user's forward is called with
    code: str = ""  # the backward pass as it is written, where that can be read: values cannot tell all slips apart
    tracked: Callable[[AbstractContextManager[object]], Tracked | None] | None = None  # the forward again, in a context
    label: str = ""  # which draw this is: OWN, "R1"
    explained: list[Path] = field(default_factory=list)  # what explained gradients that were looked at before

    def truth(self, name: str) -> Tensor:
        """The right gradient of `inputs[name]`."""
        return self.truths[name]

    @cached_property
    def truths(self) -> Mapping[str, Tensor]:
        """The right gradient of every differentiable input."""
        return self.vjp(self.grad_output)

    def is_right(self, name: str) -> bool:
        """Whether what the user returned for `name` equals the truth to rounding, in its shape; no integer has one."""
        user, truth = self.user.get(name), self.truths.get(name)
        return user is not None and truth is not None and same(user, truth, self.tolerance)

    def elsewhere(self, name: str) -> str | None:
        """The input for which the gradient of `name` was returned, where nothing came back for `name` itself."""
        if self.returned_count is not None or self.user.get(name) is not None or not self.truth(name).any():
            return None
        return next((other for other in self.inputs if not self.is_right(other) and self._holds(other, name)), None)

    def _holds(self, other: str, name: str) -> bool:
        user = self.user.get(other)
        return user is not None and same(user, self.truth(name), self.tolerance)


def same(first: Tensor, second: Tensor, tolerance: float) -> bool:
    """Whether two tensors have one shape and agree to `tolerance` of the larger one's largest entry.

    A gradient that is zero in exact arithmetic is rounding only, hence a small absolute part.
    """
    if first.shape != second.shape:
        return False
    if first.numel() == 0:
        return True
    first, second = first.detach(), second.detach()
    scale = max(float(first.abs().max()), float(second.abs().max()))
    # what is infinite is equal to nothing: as a scale it would allow everything
    return isfinite(scale) and float((first - second).abs().max()) <= tolerance * (scale + 1e-3)


def relative_error(user: Tensor, truth: Tensor) -> float:
    """max |user − truth| / max |truth| for tensors of one shape; of nothing it is 0, of NaN infinite."""
    if truth.numel() == 0:
        return 0.0
    difference, scale = float((user - truth).abs().max()), float(truth.abs().max())
    if difference == 0.0:
        return 0.0
    return difference / scale if difference < float("inf") and scale > 0.0 else float("inf")
