"""Every task of a run, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from statistics import median

import torch

from . import race
from .contestants import YARDSTICK, CannotEnter, Entry, enter, is_own
from .peak import Peak, measure
from .settings import Settings
from .task import Task


@dataclass
class Result:
    """One contestant at one task. `status` is 'ok', 'absent' (cannot do it), 'failed' or 'wrong', with the reason."""

    status: str = "ok"
    reason: str = ""
    error: float | None = None
    times: list[float] = field(default_factory=list)
    extra: int | None = None  # bytes of memory beyond operands and result, where that is what is measured

    @property
    def best(self) -> float | None:
        """Seconds of the fastest call, None if there was none."""
        return min(self.times, default=None)

    @property
    def median(self) -> float | None:
        """Seconds of the median call, None if there was none."""
        return median(self.times) if self.times else None


FASTEST = "fastest"
"""Stands for the fastest of the peers at a task, whichever it is; those that were wrong have no time."""


@dataclass
class Row:
    """One task with what every contestant made of it."""

    task: Task
    results: Mapping[str, Result]

    def result(self, name: str) -> Result:
        """Of a contestant, or of the fastest of the peers."""
        if name != FASTEST:
            return self.results[name]
        peers = [peer for name, peer in self.results.items() if not is_own(name) and name != YARDSTICK and peer.times]
        return min(peers, key=lambda peer: min(peer.times), default=Result("absent", "no peer can"))

    def gflops(self, name: str) -> float | None:
        """Of the contestant's fastest call."""
        best = self.result(name).best
        return self.task.shape.flop / best / 1e9 if best else None

    def ratio(self, own: str, peer: str) -> float | None:
        """How many times as fast as the peer, fastest call against fastest."""
        mine, theirs = self.result(own).best, self.result(peer).best
        return theirs / mine if mine and theirs else None

    def median_ratio(self, own: str, peer: str) -> float | None:
        """The same, median call against median."""
        mine, theirs = self.result(own).median, self.result(peer).median
        return theirs / mine if mine and theirs else None


Part = tuple[torch.dtype, int]
"""What has a peak and a table of its own: a dtype and a number of threads."""


@dataclass
class Report:
    """A run as far as it has come."""

    settings: Settings
    peaks: dict[Part, Peak] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def parts(self) -> dict[Part, list[Row]]:
        """The rows by dtype and number of threads."""
        found: dict[Part, list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.task.dtype, row.task.threads), []).append(row)
        return found

    def against(self) -> list[str]:
        """The peers, and where there are several, the fastest of them at each task."""
        peers = list(self.settings.peers)
        return [*peers, FASTEST] if len(set(peers) - {YARDSTICK}) > 1 else peers

    def pairs(self) -> list[tuple[str, str]]:
        """Each of ours with each of them."""
        return [(own, peer) for own in self.settings.own for peer in self.against()]

    def measure_peak(self, task: Task) -> None:
        """Measure the machine's peak for the task's dtype and threads again: the highest so far counts."""
        part, seen = (task.dtype, task.threads), measure(task.dtype, task.threads)
        if part not in self.peaks or seen.flops > self.peaks[part].flops:
            self.peaks[part] = seen

    def of_peak(self, row: Row, name: str) -> float | None:
        """A contestant's share of what the machine can do."""
        gflops = row.gflops(name)
        return None if gflops is None else gflops * 1e9 / self.peaks[row.task.dtype, row.task.threads].flops


def run(report: Report, measured: Callable[[Task, Report], Row]) -> Iterator[Row]:
    """Fill the report, row by row."""
    settings = report.settings
    for threads in settings.threads:
        with _threads(threads):
            for dtype, shape, op in product(settings.dtypes, settings.shapes, settings.ops):
                report.rows.append(measured(Task(shape, op, dtype, threads), report))
                yield report.rows[-1]


def timed(task: Task, report: Report) -> Row:
    """Everybody who can do the task and is right, raced."""
    report.measure_peak(task)
    settings = report.settings
    names = (*settings.own, *settings.peers)
    try:
        truth = task.truth()
    except RuntimeError as problem:  # too large for the memory: the other tasks may not be
        return Row(task, {name: Result("failed", first_line(problem)) for name in names})
    results = {name: Result() for name in names}
    entries = {name: entry for name, result in results.items() if (entry := admitted(name, task, truth, result))}
    del truth  # a contestant's memory should not depend on it
    times = race.race({name: entry.call for name, entry in entries.items()}, settings.seconds, settings.repeats)
    for name, taken in times.items():
        results[name].times = taken
    return Row(task, results)


def admitted(name: str, task: Task, truth: torch.Tensor, result: Result) -> Entry | None:
    """The contestant's entry, if it can do the task and is right; else None, and `result` says why."""
    try:
        entry = enter(name, task)
        judge(entry.tensor(entry.call()), task, truth, result)
    except CannotEnter as reason:
        result.status, result.reason = "absent", str(reason)
    except race.Wrong as reason:
        result.status, result.reason = "wrong", str(reason)
    except Exception as problem:  # somebody else's code: it must not end the race of the others
        result.status, result.reason = "failed", first_line(problem)
    return entry if result.status == "ok" else None


def judge(found: object, task: Task, truth: torch.Tensor, result: Result) -> None:
    """Note the error. Raises `Wrong` if it is more than rounding."""
    result.error = race.error_of(found, truth, task.dtype)
    race.check(result.error, task)


def first_line(problem: Exception) -> str:
    """What somebody's error says, as short as it can be."""
    return f"{type(problem).__name__}: {str(problem).strip().partition(chr(10))[0]}"


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
