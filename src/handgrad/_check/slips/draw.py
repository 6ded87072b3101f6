"""What the search asks of a case for one gradient, each worked out once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from ..case import Case, same
from . import Linear

if TYPE_CHECKING:
    from ..operations import Bound

T = TypeVar("T")


class Draw:
    """One case, looked at for one gradient."""

    def __init__(self, case: Case, name: str) -> None:
        self.case, self.name, self.tolerance = case, name, case.tolerance
        self.inputs: Mapping[str, Tensor] = case.inputs
        self.g, self.y = case.grad_output, case.output
        self.input = case.inputs[name]
        self._steps: dict[str, tuple[float, Linear] | None] = {}
        self._kept: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes for this draw, kept: a search asks for the same slips again for every path it confirms."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    @cached_property
    def user(self) -> Tensor:
        """What came back, in float64; of no entries where nothing came back."""
        user = self.case.user.get(self.name)
        return torch.empty(0) if user is None else user.detach().to(self.truth.dtype)

    @property
    def user_shape(self) -> torch.Size:
        """The shape of what came back."""
        return self.user.shape

    @cached_property
    def gradients(self) -> Mapping[str, Tensor]:
        """The truth for every input."""
        return self.case.vjp(self.g)

    @property
    def truth(self) -> Tensor:
        """The truth for this one."""
        return self.gradients[self.name]

    @property
    def wrong(self) -> bool:
        """Whether the user's gradient differs from the truth."""
        return not self.case.is_right(self.name)

    def backward(self, g: Tensor) -> Tensor:
        """The true backward pass of another grad_output."""
        return self.case.vjp(g)[self.name]

    def equal(self, first: Tensor, second: Tensor) -> bool:
        """Whether two tensors agree to this case's rounding."""
        return same(first, second, self.tolerance)

    @property
    def bound(self) -> Bound | None:
        """The operation with its roles filled by this case's inputs; None where it is not known or does not fit."""
        return self.case.bound

    def at(self, other: str, value: Tensor) -> Linear | None:
        """The true backward pass with another value for one input; None where it cannot be had."""
        changed = {**self.inputs, other: value}
        if self.bound is not None:
            vjp = self.bound.vjp(changed)
        elif self.case.linearize is not None:
            vjp = self.case.linearize(changed)
        else:
            return None
        return lambda g: vjp(g)[self.name]

    def stepped(self, other: str) -> tuple[float, Linear] | None:
        """As `_stepped`, worked out once."""
        if other not in self._steps:
            self._steps[other] = self._stepped(other)
        return self._steps[other]

    def _stepped(self, other: str) -> tuple[float, Linear] | None:
        """lr and the backward pass at w − lr·dw, w another input, where that gives what the user returned.

        lr is read off a single step of size 1, which is exact where the backward pass is linear in w.
        """
        weight, step = self.inputs[other], self.gradients.get(other)
        if other == self.name or step is None or self.user.shape != self.truth.shape:
            return None
        unit = self.at(other, weight - step)
        slope = unit(self.g) - self.truth if unit else torch.zeros_like(self.truth)
        norm = float((slope**2).sum())
        rate = float(((self.user - self.truth) * slope).sum()) / norm if norm else 0.0
        linear = self.at(other, weight - rate * step) if abs(rate) > 1e-9 else None
        return (rate, linear) if linear and self.equal(self.user, linear(self.g)) else None

    @cached_property
    def batch(self) -> int | None:
        """N: the leading size that grad_output, or for a loss the first input, runs over."""
        leading = self.g if self.g.dim() else next(iter(self.inputs.values()))
        return leading.shape[0] if leading.dim() else None

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether y_i depends on this input's x_i alone, seen from the backward pass being a product."""
        if not self.g.dim() or self.truth.shape != self.g.shape or self.input.shape != self.g.shape:
            return False
        others = torch.roll(self.g.flatten(), 1).reshape(self.g.shape)
        return self.equal(self.truth, self.g * self.derivative) and self.equal(
            self.backward(others), others * self.derivative
        )

    @cached_property
    def derivative(self) -> Tensor:
        """The backward pass of ones; of an elementwise function, its derivative."""
        return self.backward(torch.ones_like(self.g))

    @property
    def derivative_at(self) -> Linear | None:
        """The derivative of an elementwise function at other points; None where it cannot be had."""
        if self.bound is None and self.case.linearize is None:
            return None
        return self._derivative_at

    def _derivative_at(self, point: Tensor) -> Tensor:
        linear = self.at(self.name, point)
        assert linear is not None
        return linear(torch.ones_like(self.g))

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """The operation's options, none where it is not known."""
        return self.bound.options if self.bound else {}

    def named_tensors(self) -> dict[str, Tensor]:
        """The tensors a backward pass has at hand beside grad_output: inputs, output, whatever was saved."""
        found = {"the output": self.y} | {f"`{name}`": tensor for name, tensor in self.inputs.items()}
        known = list(found.values())
        for name, tensor in self.case.saved.items():
            if not any(tensor.shape == other.shape and torch.equal(tensor, other) for other in known):
                found[f"the saved `{name}`"] = tensor
        return {label: tensor.detach() for label, tensor in found.items() if tensor.is_floating_point()}
