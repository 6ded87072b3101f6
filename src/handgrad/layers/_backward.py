"""A layer's backward pass, as calling the layer returns it, and what layers of layers agree on beside the gradient.

What a backward pass needs need not be kept from the forward pass, if it follows from what is kept anyway: of
convolution, normalization, ReLU, convolution the first normalization keeps its centred input, and from that the other
two have theirs again by a product and a sum. So a layer may say how its output is computed again (`repeating`), the
next one may keep that instead of its input (a parameter `again` of its `forward`), and a layer of layers passes it on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor

from .._context import by_hand
from ..per_sample._samples import Samples, collected_by

if TYPE_CHECKING:
    from ._layer import Layer

Pullback = Callable[..., Tensor | None]
"""What a layer's `forward` returns beside the output, a function of `grad_output` (and `needs_input`, if it has it)."""

Function = TypeVar("Function", bound=Callable[..., Any])


class Again:
    """A tensor that the backward pass computes once more, to the last bit, instead of keeping it.

    `compute` returns new memory each time.
    """

    def __init__(self, compute: Callable[[], Tensor]) -> None:
        self.compute = compute
        self._held: Tensor | None = None

    def __call__(self) -> Tensor:
        """The tensor, to read: several may need it, so it is held until `free`."""
        held = self._held = self.compute() if self._held is None else self._held
        return held

    def free(self) -> None:
        """Hold it no longer."""
        self._held = None


def fresh(function: Function) -> Function:
    """Mark a `forward` or a `Pullback` whose result is memory that nobody else holds, nor its backward pass needs.

    A `Pullback` may then also return what it was given, if it wrote over that.
    """
    function.fresh = True  # type: ignore[attr-defined]
    return function


def repeatable(forward: Function) -> Function:
    """Mark a `forward` whose output is what the `Again` of its `Pullback`, if it has one, computes."""
    forward.repeatable = True  # type: ignore[attr-defined]
    return forward


def repeating(pullback: Function, again: Again | None) -> Function:
    """Let the pullback say how the output is computed again."""
    pullback.again = again  # type: ignore[attr-defined]
    return pullback


class Returned:
    """`Backward`: the layer's `Pullback`, with all that the layer promises of it."""

    def __init__(self, layer: Layer, gradient: Pullback, check: Callable[[Tensor], None], again: Again | None) -> None:
        self._layer = layer
        self._kept: tuple[Pullback, Callable[[Tensor], None]] | None = gradient, check
        self.again = again
        self.fresh: bool = getattr(gradient, "fresh", False)

    def __call__(
        self, grad_output: Tensor, *, per_sample: Samples | None = None, needs_input: bool = True, once: bool = False
    ) -> Tensor | None:
        """The gradient of the input."""
        return self.run(grad_output, per_sample, needs_input, once)

    def run(
        self,
        grad_output: Tensor,
        per_sample: Samples | None = None,
        needs_input: bool = True,
        once: bool = False,
        over: bool = False,
    ) -> Tensor | None:
        """The same; `over` says that nobody else has a use for `grad_output`, which may be written over."""
        if self._kept is None:
            hint = "call the layer again, or leave out `once=True`"
            raise self._layer._error("this backward pass ran with once=True, and what it needs is gone", hint)
        gradient, check = self._kept
        check(grad_output)
        with by_hand(), nullcontext() if per_sample is None else collected_by(per_sample):
            wishes = {"needs_input": needs_input, "once": once, "over": over}
            asked = {name: wish for name, wish in wishes.items() if takes(gradient, name)}
            grad_input = gradient(grad_output.detach(), **asked)
        if once:
            self._kept = self.again = None
        return grad_input if needs_input else None


def takes(function: Callable[..., object], name: str) -> bool:
    """Whether it has a parameter of this name."""
    code = getattr(function, "__code__", None)  # asking for a signature takes longer than a small layer
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else signature(function).parameters
    return name in known
