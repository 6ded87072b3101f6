"""The mode in which everything here computes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


class by_hand(AbstractContextManager[None]):  # a function to whoever uses it, at half a generator's cost
    """No graph, and every number in the precision of its operands: gradients off, and autocast with them.

    As a context manager, or as a decorator.
    """

    def __enter__(self) -> None:
        self._grad = torch.is_grad_enabled()
        self._autocast = [kind for kind in ("cpu", "cuda") if torch.is_autocast_enabled(kind)]
        if self._grad:
            torch.set_grad_enabled(False)
        for kind in self._autocast:
            torch.set_autocast_enabled(kind, False)

    def __exit__(self, *_: object) -> None:
        if self._grad:
            torch.set_grad_enabled(True)
        for kind in self._autocast:
            torch.set_autocast_enabled(kind, True)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with by_hand():
                return function(*args, **kwargs)

        return call
