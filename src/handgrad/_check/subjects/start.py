"""What one forward call of the checked code left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .returned import Returned


@dataclass
class Start:
    """The outputs as they came, and how to go on."""

    outputs: Sequence[Any]  # those that have a gradient; one nearly always
    leaves: Mapping[str, Tensor]  # what autograd can differentiate with respect to, when tracked
    backward: Callable[[Sequence[Any]], Returned]  # takes one gradient for each output
    saved: Callable[[], Mapping[str, Any]] = dict
    again: Callable[[], Start] | None = None  # the same call on the same object once more, where there is one
    dirty: frozenset[str] = frozenset()  # inputs that the code says it changes in place
