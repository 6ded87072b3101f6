"""A run as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from math import prod

import torch
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from . import summary
from .run import Part, Report, Result, Row

MIB = 1 << 20
_REASONS = {"wrong": "disqualified", "failed": "failed", "absent": "left out"}


def speeds(report: Report) -> Iterator[Group]:
    """A table for each dtype and number of threads: GFLOP/s of everybody, our share of the peak, and our ratios."""
    own, peers = report.settings.own, report.against()
    for part, rows in report.parts().items():
        peak = report.peaks[part].flops / 1e9
        title = f"{_words(part)}: GFLOP/s of a peak of {peak:.0f}, and how many times as fast"
        table = _table("shape", "op")
        _numbers(table, "MFLOP", *(name for mine in own for name in (_short(mine), "of peak")))
        for peer in peers:
            _numbers(table, peer, *(f"{_short(mine)} ×" if len(own) > 1 else "×" for mine in own))
        for row in rows:
            cells = [f"{row.task.shape.flop / 1e6:.0f}"]
            for mine in own:
                cells += [_speed(row, mine), _per_cent(report.of_peak(row, mine))]
            for peer in peers:
                cells += [_speed(row, peer), *(_times(row.ratio(mine, peer)) for mine in own)]
            table.add_row(row.task.shape.name, row.task.op, *cells)
        yield _titled(title, table)


def memories(report: Report) -> Iterator[Group]:
    """A table for each dtype and number of threads: MiB that a call takes beyond its operands and its result."""
    names = [*report.settings.own, *report.settings.peers]
    for part, rows in report.parts().items():
        table = _table("shape", "op")
        _numbers(table, "these", *map(_short, names))
        for row in rows:
            shape = row.task.shape
            these = sum(map(prod, (shape.x, shape.w, shape.y))) * row.task.dtype.itemsize / MIB
            table.add_row(shape.name, row.task.op, f"{these:.1f}", *(_extra(row.results[name]) for name in names))
        yield _titled(f"{_words(part)}: MiB of operands and result (these), and what a call takes beyond", table)


def figures(report: Report) -> Iterator[Group]:
    """The means, the shares of the peak and the errors; tables without a row are left out."""
    sizes = f"≥ {summary.LARGE / 1e6:.0f} MFLOP and ≥ {summary.WIDE} channels"
    tables = {
        "how many times as fast: geometric mean of the fastest calls": _means(report),
        f"median share of the peak, dense shapes of {sizes}": _shares(report),
        "error as a multiple of native's": _errors(report),
    }
    return (_titled(title, table) for title, table in tables.items() if table.row_count)


def words(row: Row) -> str:
    """A row in one line: GFLOP/s, or the status of whoever has none, or MiB."""
    measured = (f"{name} {_measured(row, name)}" for name in row.results)
    return f"{row.task.shape.name} {row.task.op} {_name(row.task.dtype)}  {'  '.join(measured)}"


def remarks(report: Report) -> list[str]:
    """Who was left out or disqualified, where and why; and how the peaks were measured."""
    lines = [f"peak: {how}" for how in dict.fromkeys(peak.how for peak in report.peaks.values())]
    lines += [f"left out: {name}: {reason}" for name, reason in report.settings.left_out.items()]
    places: dict[str, list[str]] = {}
    for row in report.rows:
        for name, result in row.results.items():
            if result.status != "ok":
                line = f"{_REASONS[result.status]}: {name}: {result.reason}"
                places.setdefault(line, []).append(f"{row.task.shape.name} {row.task.op}")
    return lines + [f"{line} ({_some(at)})" for line, at in places.items()]


def _means(report: Report) -> Table:
    ops = [*report.settings.ops, *(["all"] if len(report.settings.ops) > 1 else [])]
    table = _table("", "", "against", "shapes")
    _numbers(table, *ops, "by median", "worst")
    table.add_column("at")
    same_row = lambda mean: (mean.dtype, mean.threads, mean.own, mean.peer, mean.kind)  # noqa: E731
    for (dtype, threads, own, peer, kind), group in groupby(summary.means(report), same_row):
        by_op = {mean.op: mean for mean in group}
        cells = [f"{by_op[op].mean:.2f}" if op in by_op else "–" for op in ops]
        total = list(by_op.values())[-1]
        last = (f"{total.median_mean:.2f}", f"{total.worst:.2f}", total.worst_at)
        table.add_row(_words((dtype, threads)), own, peer, kind, *cells, *last)
    return table


def _shares(report: Report) -> Table:
    table = _table("", "")
    _numbers(table, *report.settings.ops)
    same_row = lambda share: (share.dtype, share.threads, share.name)  # noqa: E731
    for (dtype, threads, name), group in groupby(summary.shares(report), same_row):
        by_op = {share.op: share.share for share in group}
        table.add_row(_words((dtype, threads)), name, *(_per_cent(by_op.get(op)) for op in report.settings.ops))
    return table


def _errors(report: Report) -> Table:
    table = _table("", "")
    _numbers(table, "results", "median", "worst")
    table.add_column("at")
    _numbers(table, "over 2 × and 4 eps")
    for a in summary.accuracies(report):
        cells = (str(a.count), f"{a.median:.2f}", f"{a.worst:.2f}", a.worst_at, str(a.over))
        table.add_row(_words((a.dtype, a.threads)), a.own, *cells)
    return table


def _short(name: str) -> str:
    """Of several of ours, narrower."""
    return name.replace("handgrad/", "hg/")


def _titled(title: str, table: Table) -> Group:
    """A title of the table's own would be as narrow as the table."""
    return Group(Text(title, style="bold"), table)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _numbers(table: Table, *columns: str) -> None:
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)


def _some(places: Iterable[str]) -> str:
    """The first few of them."""
    different = list(dict.fromkeys(places))
    shown = different if len(different) <= 6 else [*different[:5], f"and {len(different) - 5} more"]
    return ", ".join(shown)


def _measured(row: Row, name: str) -> str:
    gflops, result = row.gflops(name), row.results[name]
    if gflops is not None:
        return f"{gflops:.1f}"
    return f"{result.extra / MIB:.1f} MiB" if result.extra is not None else result.status


def _speed(row: Row, name: str) -> str:
    gflops = row.gflops(name)
    return f"{gflops:.1f}" if gflops is not None else _status(row.result(name))


def _extra(result: Result) -> str:
    return f"{result.extra / MIB:.1f}" if result.extra is not None else _status(result)


def _status(result: Result) -> str:
    return "–" if result.status == "absent" else f"[red]{result.status}[/]"


def _per_cent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _times(ratio: float | None) -> str:
    if ratio is None:
        return "–"
    return f"{ratio:.2f}" if ratio >= 1 else f"[yellow]{ratio:.2f}[/]"


def _words(part: Part) -> str:
    dtype, threads = part
    return f"{_name(dtype)}, {threads} thread{'s' * (threads != 1)}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
