"""A run in a few figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median

import torch

from .run import Report, Row
from .suite import Shape

LARGE, WIDE = 300e6, 32  # FLOP and channels from which a dense shape should come near the peak


def _depthwise(shape: Shape) -> bool:
    return shape.groups == shape.C > 1


KINDS: dict[str, Callable[[Shape], bool]] = {
    "all": lambda _: True,
    "depthwise": _depthwise,
    "1 channel": lambda shape: shape.C == 1,
}


@dataclass(frozen=True)
class Mean:
    """How many times as fast as a peer we are, over all shapes of a kind."""

    dtype: torch.dtype
    threads: int
    own: str
    peer: str
    kind: str
    op: str  # or 'all'
    count: int
    mean: float  # geometric, of fastest against fastest
    median_mean: float  # geometric, of median against median
    worst: float
    worst_at: str


@dataclass(frozen=True)
class Share:
    """The median share of the peak that a contestant reaches on large dense shapes."""

    dtype: torch.dtype
    threads: int
    name: str
    op: str
    count: int
    share: float


@dataclass(frozen=True)
class Accuracy:
    """How large our error is against native's, over all shapes."""

    dtype: torch.dtype
    threads: int
    own: str
    count: int
    median: float
    worst: float
    worst_at: str
    over: int  # results whose error is more than twice native's and 4 eps


def means(report: Report) -> list[Mean]:
    """For each dtype and number of threads: each of ours against each peer, by kind of shape and operation."""
    found = []
    for (dtype, threads), rows in report.parts().items():
        for own, peer in report.pairs():
            for kind, fits in KINDS.items():
                for op, chosen in _by_op([row for row in rows if fits(row.task.shape)]):
                    ratios = {_place(row): ratio for row in chosen if (ratio := row.ratio(own, peer))}
                    medians = [ratio for row in chosen if (ratio := row.median_ratio(own, peer))]
                    if ratios:
                        at = min(ratios, key=ratios.__getitem__)
                        figures = (geometric_mean(ratios.values()), geometric_mean(medians), ratios[at], at)
                        found.append(Mean(dtype, threads, own, peer, kind, op, len(ratios), *figures))
    return found


def shares(report: Report) -> list[Share]:
    """For everybody's large dense shapes, by operation."""
    found = []
    for (dtype, threads), rows in report.parts().items():
        large = [row for row in rows if is_large(row.task.shape)]
        for name in (*report.settings.own, *report.settings.peers):
            for op, chosen in _by_op(large):
                reached = [share for row in chosen if (share := report.of_peak(row, name))]
                if reached:
                    found.append(Share(dtype, threads, name, op, len(reached), median(reached)))
    return found


def accuracies(report: Report) -> list[Accuracy]:
    """Our error as a multiple of native's, in float32: in float64, native's own result is the truth."""
    found = []
    for (dtype, threads), rows in report.parts().items():
        for own in report.settings.own:
            ratios = {_place(row): ratio for row in rows if (ratio := _error_ratio(row, own))}
            if ratios:
                at = max(ratios, key=ratios.__getitem__)
                over = sum(_over(row, own) for row in rows)
                found.append(Accuracy(dtype, threads, own, len(ratios), median(ratios.values()), ratios[at], at, over))
    return found


def is_large(shape: Shape) -> bool:
    """Dense, and with enough to do: at least 300 MFLOP and 32 channels in and out."""
    return shape.groups == 1 and shape.flop >= LARGE and min(shape.C, shape.O) >= WIDE


def _error_ratio(row: Row, own: str) -> float | None:
    native = row.results.get("native")
    mine = row.results[own].error
    return mine / native.error if native and native.error and mine is not None else None


def _over(row: Row, own: str) -> bool:
    native, mine = row.results["native"].error, row.results[own].error
    return native is not None and mine is not None and mine > 2 * native + 4 * torch.finfo(row.task.dtype).eps


def _by_op(rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[Row]]]:
    """By operation, and if there are several, all together at the end."""
    ops = list(dict.fromkeys(row.task.op for row in rows))
    for op in ops:
        yield op, [row for row in rows if row.task.op == op]
    if len(ops) > 1:
        yield "all", rows


def _place(row: Row) -> str:
    return f"{row.task.shape.name} {row.task.op}"
