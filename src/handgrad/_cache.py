"""What is kept: results within a process, and the folder for what took time to find out."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def cached(function: Callable[P, R]) -> Callable[P, R]:
    """Remember the last results, except in what is compiled, where sizes may be symbols: those have no hash."""
    remembered: Callable[P, R] = lru_cache(maxsize=4096)(function)  # type: ignore[assignment]  # of what has a hash

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if torch.compiler.is_compiling():
            return function(*args, **kwargs)
        try:
            return remembered(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)

    return call


def cache_folder() -> Path:
    """`HANDGRAD_CACHE`, or handgrad's own folder among the user's caches; it may not exist yet."""
    if named := os.environ.get("HANDGRAD_CACHE"):
        return Path(named).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "handgrad"
