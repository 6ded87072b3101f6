"""What a contestant enters a race with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor


def _is_tensor(result: Any) -> Tensor:
    return cast("Tensor", result)


@dataclass(frozen=True)
class Entry:
    """The call to be timed, and how to see its result as a tensor, which is not."""

    call: Callable[[], Any]
    tensor: Callable[[Any], Tensor] = _is_tensor


class CannotEnter(Exception):
    """This contestant cannot do this task; the text says why."""
