"""Ours against theirs: one point a shape, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path
from statistics import geometric_mean
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from .run import Report, Row

SUFFIXES = (".png", ".svg", ".pdf")
_STYLES = {
    "y": ("tab:blue", "o"),
    "dW": ("tab:orange", "s"),
    "dX": ("tab:green", "^"),
    "samples": ("tab:red", "D"),
    "norms": ("tab:purple", "v"),
}


def save(report: Report, path: Path) -> None:
    """Write the picture in the format that the path's ending names."""
    draw(report).savefig(path, dpi=130)


def draw(report: Report) -> Figure:
    """A panel for each peer and each of ours (across) and each dtype and number of threads (down)."""
    pairs, parts = report.pairs(), report.parts()
    figure = Figure(figsize=(5 * len(pairs), 4.8 * len(parts)), layout="constrained")
    grid = figure.subplots(len(parts), len(pairs), squeeze=False)
    for panels, ((dtype, threads), rows) in zip(grid, parts.items(), strict=True):
        for axes, (own, peer) in zip(panels, pairs, strict=True):
            _panel(axes, rows, own, peer)
            _labels(axes, own, peer, dtype, threads)
    return figure


def _panel(axes: Any, rows: list[Row], own: str, peer: str) -> None:
    """Theirs to the right, ours upwards: we are faster above the line."""
    spread = []
    for op, (colour, marker) in _STYLES.items():
        chosen = [row for row in rows if row.task.op == op and row.ratio(own, peer)]
        if chosen:
            theirs, ours = ([row.gflops(name) or 0.0 for row in chosen] for name in (peer, own))
            mean = geometric_mean([mine / other for mine, other in zip(ours, theirs, strict=True)])
            axes.scatter(theirs, ours, s=22, c=colour, marker=marker, alpha=0.75, label=f"{op}: × {mean:.2f}")
            spread += theirs + ours
    if spread:
        ends = [min(spread) / 1.5, max(spread) * 1.5]
        axes.plot(ends, ends, color="black", linewidth=0.8)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_locator(NullLocator())
        axes.legend()
        _name_worst(axes, rows, own, peer)


def _name_worst(axes: Any, rows: list[Row], own: str, peer: str) -> None:
    worst = min((row for row in rows if row.ratio(own, peer)), key=lambda row: row.ratio(own, peer) or 0.0)
    point = (worst.gflops(peer), worst.gflops(own))
    label = f"{worst.task.shape.name} {worst.task.op}"
    axes.annotate(label, point, xytext=(6, -12), textcoords="offset points", fontsize=7)


def _labels(axes: Any, own: str, peer: str, dtype: torch.dtype, threads: int) -> None:
    name = str(dtype).removeprefix("torch.")
    axes.set(
        xlabel=f"{peer}, GFLOP/s", ylabel=f"{own}, GFLOP/s", title=f"{name}, {threads} thread{'s' * (threads != 1)}"
    )
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
