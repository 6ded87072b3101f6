"""Slips: what makes a right backward pass wrong, as functions, so that a diagnosis is a search among them.

A wrong gradient is taken apart as result(backward(operand(g))):

- an *operand* slip changes what stands where grad_output belongs (`operands`);
- a *backward* slip is another linear map of grad_output, in the place of the true one (`backwards`, `elementwise`,
  `products`; in one step of the forward pass, `inside`; and those of the operation itself, in `operations`);
- a *result* slip changes a gradient once it is computed: transposed, reduced, cut (`results`).

Where a slip leaves part of the gradient undetermined (what the cropped padding would have held) it is undone
instead: a *repair* changes what the user returned (`repairs`). A constant factor and a lost axis of size 1 can end
every chain and are read off where two tensors are compared (`comparing`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Slip:
    """One slip, the same on every draw that has the same cause and variant."""

    cause: str  # a word of `causes.CAUSES`
    variant: Hashable = None
    message: str = field(default="", compare=False)
    fix: str | None = field(default=None, compare=False)
    loose: bool = field(default=False, compare=False)  # leaves part of the gradient undetermined
    inside: bool = field(default=False, compare=False)  # in one step of several, of which there are many


# of a slip that is known for what it is, a constant on one term of several, but that the vocabulary has no word for
NO_WORD = "unexplained"

Path = tuple[Slip, ...]  # slips in the order in which they happened
Linear = Callable[[Tensor], Tensor]  # grad_output → a gradient

Operands = Iterator[tuple[Slip, Tensor]]
Backwards = Iterator[tuple[Path, Linear]]
Results = Iterator[tuple[Slip, Tensor]]
