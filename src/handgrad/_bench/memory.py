"""How much memory a call takes beyond its operands and its result: each call in a process of its own.

What is measured is the growth of the largest resident set, from just before the call. Small calls of the same kind
go first: code is loaded and threads are started once, and are not what one call takes. Of handgrad the second of two
processes counts, which finds the kernels on disk that the first had to compile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from .._geometry import spans
from . import race
from .contestants import OWN, CannotEnter, enter, is_own, own_name
from .run import Report, Result, Row, first_line, judge
from .suite import Shape
from .task import Task

TIMEOUT = 600  # seconds for one call and its process
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Of a process that is measured: what it frees goes back to the system, instead of being there for the next call."""

R = TypeVar("R")


def growth(call: Callable[[], R]) -> tuple[R, int]:
    """What it returns, and by how many bytes the largest resident set grew from just before it."""
    before = _reset_peak()
    result = call()
    return result, max(0, _peak() - before)


def in_processes(task: Task, report: Report) -> Row:
    """What each contestant takes for the task."""
    results = {}
    for name in report.settings.own:
        _in_process(name, task)
        results[name] = _in_process(name, task)
    return Row(task, results | {name: _in_process(name, task) for name in report.settings.peers})


def _in_process(name: str, task: Task) -> Result:
    request = {**asdict(task), "name": name, "dtype": str(task.dtype).removeprefix("torch.")}
    command = [sys.executable, "-m", __spec__.name, json.dumps(request)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=os.environ | ENVIRONMENT
        )
    except subprocess.TimeoutExpired:
        return Result("failed", f"took more than {TIMEOUT} s")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return Result("failed", last)
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def measured(name: str, task: Task) -> Result:
    """In this process: the growth of the largest resident set in one call, less the result's own size."""
    result = Result()
    try:
        _warm_up(name, replace(task, shape=_small(task.shape)))
        entry = enter(name, task)
        found, grown = growth(entry.call)
        tensor = entry.tensor(found)
        result.extra = max(0, grown - tensor.numel() * tensor.element_size())
        judge(tensor, task, task.truth(), result)
    except CannotEnter as reason:
        return Result("absent", str(reason))
    except race.Wrong as reason:
        return Result("wrong", str(reason), result.error)
    except Exception as problem:  # somebody else's code
        return Result("failed", first_line(problem))
    return result


def _warm_up(name: str, small: Task) -> None:
    """Run it, and if it is ours the kernels too, which a small call alone might not choose."""
    names = (name, own_name(OWN)) if is_own(name) else (name,)
    tasks = [small, replace(small, op="samples")] if small.op == "norms" else [small]  # small norms need no kernel
    for entry in (enter(each, task) for each in names for task in tasks):
        entry.tensor(entry.call())


def _small(shape: Shape) -> Shape:
    """One sample with two positions of the window an axis, or as many as there are."""
    span = spans(shape.kernel, shape.dilation)
    enough = (s + t - 2 * p for s, t, p in zip(span, shape.stride, shape.padding, strict=True))
    return replace(shape, N=1, input=tuple(max(1, min(i, e)) for i, e in zip(shape.input, enough, strict=True)))


def _reset_peak() -> int:
    """Forget the largest resident set so far, where the system can; the largest as it is then, in bytes."""
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")
    return _peak()


def _peak() -> int:
    """The largest resident set, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) << 10
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest << 10


def _main(request: dict[str, Any]) -> None:
    name, dtype = request.pop("name"), getattr(torch, request.pop("dtype"))
    sizes = request.pop("shape").items()
    shape: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in sizes}
    task = Task(Shape(**shape), dtype=dtype, **request)
    torch.set_num_threads(task.threads)
    print(json.dumps(asdict(measured(name, task))))


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
