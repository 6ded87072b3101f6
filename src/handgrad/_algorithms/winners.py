"""The file in which the results of races are kept: JSON, one line a race, the fastest first.

    {"format": 1, "machine": "…", "milliseconds": {"conv N64 …": {"gemm": 0.31, "native": 0.52}, …}}

It may be written by many processes at once: each takes a lock, reads what the others have added, and replaces the file
as a whole. A file that is damaged, of another format or from another machine counts for nothing, and is replaced.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from math import inf
from pathlib import Path
from typing import Any

import torch

from .._cache import cache_folder
from .._errors import HandgradWarning

Races = dict[str, dict[str, float]]
"""Of each kind of operands, the seconds that each algorithm took."""

_FORMAT = 1
_read: dict[Path, Races] = {}  # what this process knows of each file


def known() -> Races:
    """The races of earlier processes and of this one."""
    place = path()
    if place not in _read:
        _read[place] = _load(place)
    return _read[place]


def keep(kind: str, seconds: dict[str, float]) -> None:
    """Remember a race, in the file if it can be written."""
    known()[kind] = seconds
    place = path()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place):
            _replace(place, _load(place) | {kind: seconds})
    except OSError as problem:
        text = f"the fastest algorithms are remembered by this process alone, {place} cannot be written: {problem}"
        warnings.warn(HandgradWarning(text), stacklevel=2)


@cache
def machine() -> str:
    """What must be the same for a race to be worth anything: processor, and who was in it."""
    names = ("handgrad", "torch", "numba")
    capability = torch.backends.cpu.get_cpu_capability()
    return ", ".join([_processor(), f"{os.cpu_count()} cores", capability, *(f"{n} {_version(n)}" for n in names)])


def path() -> Path:
    """The file."""
    return cache_folder() / "measured.json"


def _load(path: Path) -> Races:
    """The races in the file; none if there is anything wrong with it."""
    try:
        content = json.loads(path.read_text())
        if content["format"] != _FORMAT or content["machine"] != machine():
            return {}
        return {kind: _in_seconds(times) for kind, times in content["milliseconds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _in_seconds(times: dict[str, Any]) -> dict[str, float]:
    seconds = {name: float(milliseconds) / 1000 for name, milliseconds in times.items()}
    if not all(0 < time < inf for time in seconds.values()):
        raise ValueError
    return seconds


def _replace(path: Path, races: Races) -> None:
    """Write the file beside the old one, then put it in its place: a reader sees the one or the other."""
    lines = ",\n".join(f"{json.dumps(kind)}: {json.dumps(_sorted(seconds))}" for kind, seconds in races.items())
    beside = path.with_suffix(f".{os.getpid()}")
    head = f'{{"format": {_FORMAT}, "machine": {json.dumps(machine())}, "milliseconds": {{'
    beside.write_text(f"{head}\n{lines}\n}}}}\n")
    beside.replace(path)


def _sorted(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(seconds[name] * 1000, 4) for name in sorted(seconds, key=seconds.__getitem__)}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file lets go
        yield


def _processor() -> str:
    """The model where the system says it (Linux), else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return f"{platform.system()} {platform.machine()} {platform.processor()}".strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
