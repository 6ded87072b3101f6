"""What one forward call of the checked code left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .returned import Returned


@dataclass
class Start:
    """The output as it came, and how to go on."""

    output: Any
    leaves: Mapping[str, Tensor]  # what autograd can differentiate with respect to, when tracked
    backward: Callable[[Any], Returned]
    saved: Callable[[], Mapping[str, Any]] = dict
    again: Callable[[], Start] | None = None  # the same call on the same object once more, where there is one
