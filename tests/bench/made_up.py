"""Shapes, rows and reports that need no race."""

from __future__ import annotations

import torch

from handgrad._bench.peak import Peak
from handgrad._bench.run import Report, Result, Row
from handgrad._bench.settings import Settings
from handgrad._bench.suite import Shape
from handgrad._bench.task import Op, Task


def shape(name: str = "small", C: int = 4, O: int = 6, groups: int = 1, dims: int = 2, N: int = 2) -> Shape:
    """Sizes that all differ; the stride leaves a remainder."""
    sizes = {"input": (8, 7, 6), "kernel": (3, 2, 2), "stride": (2, 1, 1), "padding": (1, 0, 1), "dilation": (1, 2, 1)}
    return Shape(name, N, C, O, groups, **{key: value[:dims] for key, value in sizes.items()})


def dense(name: str, C: int = 64) -> Shape:
    """One of those that should come near the peak: 2 · 64·28² · 64·9 · 8 FLOP."""
    return Shape(name, 8, C, 64, 1, (28, 28), (3, 3), (1, 1), (1, 1), (1, 1))


def row(at: Shape, op: Op, dtype: torch.dtype = torch.float32, **times: list[float] | Result) -> Row:
    """A task that took so many seconds; `channels_last` for channels-last."""
    results = {
        name.replace("_", "-"): taken if isinstance(taken, Result) else Result(times=taken)
        for name, taken in times.items()
    }
    return Row(Task(at, op, dtype, 1), results)


def report(rows: list[Row], peak: float = 1e12, **settings: object) -> Report:
    """As a run would leave it."""
    names = list(rows[0].results)
    own = [name for name in names if name.startswith("handgrad")]
    chosen = {
        "shapes": list(dict.fromkeys(row.task.shape for row in rows)),
        "ops": list(dict.fromkeys(row.task.op for row in rows)),
        "own": own,
        "peers": [name for name in names if name not in own],
    }
    parts = {(row.task.dtype, row.task.threads) for row in rows}
    return Report(Settings(**chosen | settings), dict.fromkeys(parts, Peak(peak, "made up")), rows)
