"""Everybody who can do a task. Each file offers functions `(task) → Entry`, which do what need not be timed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from ..task import EACH, Op, Task
from . import columns, each, pytorch, xla
from .entry import CannotEnter, Entry
from .own import ALGORITHMS, OWN, own

__all__ = [
    "ALGORITHMS",
    "OWN",
    "PEERS",
    "SAMPLERS",
    "YARDSTICK",
    "CannotEnter",
    "Contestant",
    "Entry",
    "enter",
    "is_own",
    "missing",
    "own_name",
    "peers_of",
]

Contestant = Callable[[Task], Entry]

PEERS: dict[str, Contestant] = {
    "native": pytorch.native,
    "channels-last": pytorch.channels_last,
    "unfold": columns.unfold,
    "matmul": columns.matmul,
    "jax": xla.jax,
}
SAMPLERS: dict[str, Contestant] = {
    "vmap": each.vmap,
    "loop": each.loop,
    "expanded-weights": each.expanded_weights,
    "opacus": each.opacus,
    "functorch": each.opacus_functorch,
    "backpack": each.backpack,
}
"""Who has gradients or norms of each sample, which the others have not."""

YARDSTICK = "matmul"
"""Who computes something else, as large."""

_NEEDS = {"jax": "jax", "opacus": "opacus", "functorch": "opacus", "backpack": "backpack"}
_INSTALLED_BY = {"jax": "jax", "opacus": "'handgrad[peers]'", "backpack": "'handgrad[peers]'"}


def own_name(algorithm: str) -> str:
    """What handgrad is called among the contestants, with an algorithm of its own choice or a given one."""
    return "handgrad" if algorithm == "auto" else f"handgrad/{algorithm}"


def is_own(name: str) -> bool:
    """Whether it is one of ours."""
    return name.partition("/")[0] == "handgrad"


def peers_of(op: Op) -> dict[str, Contestant]:
    """Who can do it at all."""
    return SAMPLERS if op in EACH else PEERS


def enter(name: str, task: Task) -> Entry:
    """The contestant of this name, ready to run. Raises `CannotEnter` with a reason where it cannot do the task."""
    if is_own(name):
        return own(name.partition("/")[2] or "auto", task)
    if name not in peers_of(task.op):
        raise CannotEnter("it knows no single samples" if task.op in EACH else "it is for single samples")
    return peers_of(task.op)[name](task)


def missing(name: str) -> str | None:
    """Why a peer has to be left out altogether, or None."""
    package = _NEEDS.get(name)
    if package is None or find_spec(package) is not None:
        return None
    return f"{package} is not installed: pip install {_INSTALLED_BY[package]}"
