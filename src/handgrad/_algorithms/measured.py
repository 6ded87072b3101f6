"""A race of the algorithms, once for each kind of operands, whose result is kept.

What counts as a kind: the function, the geometry, N, O and C, where the operands lie in memory, their dtype, and the
number of threads. PyTorch's own runs twice, also with operands laid out channels-last.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from time import perf_counter

import torch
from torch import Tensor

from .._geometry import ConvGeometry
from . import winners
from .costs import sizes
from .modules import load, refusal

_ROUNDS, _ENOUGH = 9, 0.2  # every algorithm runs so often, or all of them for so many seconds
_HOPELESS = 3  # times slower than the fastest: it has lost
_racing = threading.Lock()  # two races at once would time each other


def winner(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, allowed: Sequence[str]) -> str:
    """The fastest of the allowed algorithms for operands like these, from the file or after a race."""
    with _racing:
        times = remembered(op, a, b, geometry, allowed)
        if times is None:
            times = race(op, a, b, geometry, allowed)
            winners.keep(kind(op, a, b, geometry), times)
    return min(times, key=times.__getitem__)


def remembered(
    op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, allowed: Sequence[str]
) -> dict[str, float] | None:
    """What an earlier race found, in seconds, of what is allowed now; None where one of these was not in it."""
    names = candidates(op, a, b, geometry, allowed)
    times = winners.known().get(kind(op, a, b, geometry), {})
    return {name: times[name] for name in names} if set(names) <= set(times) else None


def candidates(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, allowed: Sequence[str]) -> list[str]:
    """Who runs: those of the allowed that do not refuse."""
    names = [*allowed, *(["native:channels-last"] if "native" in allowed else [])]
    return [name for name in names if not refusal(name, op, a, b, geometry)]


def race(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, allowed: Sequence[str]) -> dict[str, float]:
    """The best time of each in seconds; they take turns, and who is far behind no longer runs."""
    runs = {name: partial(getattr(load(name), op), a, b, geometry) for name in candidates(op, a, b, geometry, allowed)}
    best = dict.fromkeys(runs, inf)
    for run in runs.values():
        run()  # compiles, and warms the caches
    start = perf_counter()
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            if best[name] == inf or best[name] < _HOPELESS * min(best.values()):
                best[name] = min(best[name], _seconds(run))
        if perf_counter() - start > _ENOUGH:
            break
    return best


def kind(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:
    """The operands in words, as the file has them: `conv N64 C1 O32 groups 1 input 28x28 kernel 3x3 …`."""
    (N, O, per_group), g = sizes(op, a, b, geometry), geometry
    lists: dict[str, tuple[object, ...]] = {
        "input": g.input,
        "output": g.output,
        "kernel": g.kernel,
        "stride": g.stride,
        "dilation": g.dilation,
        "padding": tuple(f"{low}+{high}" for low, high in g.padding),
    }
    numbers = " ".join(f"{name} {'x'.join(map(str, values))}" for name, values in lists.items())
    dtype, places = str(a.dtype).removeprefix("torch."), f"{_place(a)}, {_place(b)}"
    threads = torch.get_num_threads()
    return f"{op} N{N} C{per_group * g.groups} O{O} groups {g.groups} {numbers}, {dtype}, {places}, threads {threads}"


def _place(tensor: Tensor) -> str:
    """How a tensor lies in memory."""
    if tensor.is_contiguous():
        return "contiguous"
    if tensor.movedim(1, -1).is_contiguous():
        return "channels-last"
    return f"strides {'x'.join(map(str, tensor.stride()))}"


def _seconds(run: Callable[[], Tensor]) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start


def _unlock() -> None:
    """A forked child has none of its parent's threads: nobody would open the lock that one of them had closed."""
    global _racing
    _racing = threading.Lock()


os.register_at_fork(after_in_child=_unlock)
