"""A value of the forward pass where its gradient belongs: `dW = x.T @ p` for `x.T @ (p - t)`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from ..._errors import HandgradError
from ..case import same
from ..report import Finding
from ..subjects.calling import UserCodeError, from_library
from .chain import chain_of
from .closers import TOLERANCE, constant_name
from .repair import size_names
from .truth import derivative
from .world import World


def value_for_gradient(posted: World, user: Tensor, others: Sequence[tuple[World, Tensor]]) -> tuple[Finding, ...]:
    """The finding where a claim is the backward pass from an intermediate on, of a value in its gradient's place.

    `others` are the claim at other sizes; one of them must agree, up to a constant that has a name or stays the same.
    """
    if _multiple(user, posted.target.truth) is not None:
        return ()
    for step, value, factor in _explained(posted, user):
        for there, claimed in others:
            for other_step, other_value, other in _explained(there, claimed):
                named = constant_name([factor, other], [size_names(posted), size_names(there)])
                if (step, value) == (other_step, other_value) and named:
                    message = f"`{value}` stands where the gradient of `{step}` belongs"
                    return (Finding("output-instead-of-grad-output", message),)
    return ()


def _explained(world: World, user: Tensor) -> Iterator[tuple[str, str, float]]:
    """(`scores`, `probs`, c) where the claim is c times the backward pass of `scores`, with `probs` coming in."""
    values = {name: from_library(world.state.names.get(name)) for name in chain_of(world)}
    for step in values:
        try:
            slope = derivative(world.program, step, world.claim.name)
        except (UserCodeError, HandgradError, RuntimeError):
            continue
        for name, value in values.items():
            if value is not None and value.dim() and value.shape == slope.output.shape:
                factor = _multiple(user, slope.vjp(value.double()))
                if factor is not None:
                    yield step, name, factor


def _multiple(user: Tensor, of: Tensor) -> float | None:
    """The constant by which one is a multiple of the other."""
    norm = float((of * of).sum())
    if user.shape != of.shape or user.numel() < 2 or norm == 0:
        return None
    factor = float((user * of).sum()) / norm
    return factor if abs(factor) > 1e-9 and same(user, factor * of, TOLERANCE) else None
