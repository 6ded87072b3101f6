"""Everybody who can do a task. Each file offers functions `(task) → Entry`, which do what need not be timed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from ..task import Task
from . import columns, pytorch, xla
from .entry import CannotEnter, Entry
from .own import ALGORITHMS, OWN, own

__all__ = ["ALGORITHMS", "OWN", "PEERS", "CannotEnter", "Contestant", "Entry", "enter", "missing", "own_name"]

Contestant = Callable[[Task], Entry]

PEERS: dict[str, Contestant] = {
    "native": pytorch.native,
    "channels-last": pytorch.channels_last,
    "unfold": columns.unfold,
    "matmul": columns.matmul,
    "jax": xla.jax,
}
_NEEDS = {"jax": "jax"}


def own_name(algorithm: str) -> str:
    """What handgrad is called among the contestants, with an algorithm of its own choice or a given one."""
    return "handgrad" if algorithm == "auto" else f"handgrad/{algorithm}"


def enter(name: str, task: Task) -> Entry:
    """The contestant of this name, ready to run. Raises `CannotEnter` with a reason where it cannot do the task."""
    if name in PEERS:
        return PEERS[name](task)
    return own(name.partition("/")[2] or "auto", task)


def missing(name: str) -> str | None:
    """Why a peer has to be left out altogether, or None."""
    package = _NEEDS.get(name)
    return f"{package} is not installed" if package and find_spec(package) is None else None
