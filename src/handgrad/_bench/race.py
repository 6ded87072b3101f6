"""Who is right, and then how long each takes."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from .task import Task

TURN = 0.01  # seconds; threads of the one before still spin for a few milliseconds, and a turn must outlast that


def race(
    calls: Mapping[str, Callable[[], Any]], seconds: float, repeats: int, clock: Callable[[], float] = perf_counter
) -> dict[str, list[float]]:
    """Seconds that each call took, many times over, in turns, so that a slow moment of the machine meets everybody.

    It goes on until everybody has run `repeats` times and for `seconds` in all. Whoever starts a round ends the next.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = deque(calls)
    with _no_collector():
        while any(len(taken) < repeats or sum(taken) < seconds for taken in times.values()):
            for name in order:
                times[name] += _turn(calls[name], clock)
            order.rotate(-1)
    return times


def error_of(result: Any, truth: Tensor, dtype: torch.dtype) -> float:
    """The largest deviation, in units of the truth's root mean square. Raises `Wrong` for what is no answer at all."""
    if not isinstance(result, Tensor) or result.shape != truth.shape:
        found = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
        raise Wrong(f"shape {found} instead of {tuple(truth.shape)}")
    if result.dtype != dtype:
        raise Wrong(f"{result.dtype} instead of {dtype}")
    return float((result - truth).abs().max() / truth.square().mean().sqrt())


def check(error: float, task: Task) -> None:
    """Raise `Wrong` if a result's error is more than rounding.

    Rounding of a sum of n random terms, one after the other, comes to about √n · eps at its worst. A single term left
    out shows as 1/√n: sixteen times the rounding lies below that for up to half a million terms in float32.
    """
    allowed = 16 * task.terms**0.5 * torch.finfo(task.dtype).eps
    if not error <= allowed:  # nor is NaN
        raise Wrong(f"error {error:.2g}, rounding explains {allowed:.2g}")


class Wrong(Exception):
    """This contestant is disqualified; the text says why."""


def _turn(call: Callable[[], Any], clock: Callable[[], float]) -> list[float]:
    taken: list[float] = []
    begin = end = clock()
    while end - begin < TURN:
        start = clock()
        call()
        end = clock()
        taken.append(end - start)
    return taken


@contextmanager
def _no_collector() -> Iterator[None]:
    """The garbage collector would run in somebody's turn."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
