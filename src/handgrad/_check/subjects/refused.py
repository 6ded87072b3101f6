"""Gradients that PyTorch refuses: `self.bias.grad = g.sum(0, keepdim=True)` raises, so the code never gets further.

What was to be assigned says all the same what is wrong with it. So the parameters are made to take any shape, and the
code is run once more, for the diagnosis alone.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

_WORDS = ("assigned grad has data of a different size", "attempting to assign a gradient of size")


def is_refusal(problem: BaseException) -> bool:
    """Whether it is what PyTorch raises on a `.grad` of another shape than its parameter's."""
    return isinstance(problem, RuntimeError) and str(problem).startswith(_WORDS)


class Loose(nn.Parameter):
    """A parameter whose `.grad` may have any shape."""

    @property
    def grad(self) -> Tensor | None:
        """What was assigned, as it was."""
        value: Tensor | None = self.__dict__.get("assigned")
        return value

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        self.__dict__["assigned"] = value


def loosen(module: Any) -> None:
    """Have the parameters of a module take any gradient."""
    for parameter in module.parameters() if isinstance(module, nn.Module) else ():
        parameter.__class__ = Loose
