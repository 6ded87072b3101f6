"""`handgrad bench`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from .options import Finite

if TYPE_CHECKING:
    from handgrad._bench.run import Report, Row
    from handgrad._bench.settings import Settings

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(context_settings={"show_default": True})
@click.option(
    "--suite",
    default="training",
    metavar="NAME|FILE.csv",
    help="Shapes: training, lenet, resnet50, mobilenet, per-sample, a file.",
)
@click.option("--shapes", default="", metavar="PATTERNS", help="Only shapes of these names, as in 'resnet50.*'.")
@click.option(
    "--op",
    default="",
    metavar="OPS",
    help="Forward, weight gradient, input gradient; weight gradients of samples, or their norms.",
    show_default="y,dW,dX, or of the suite per-sample: samples,norms",
)
@click.option("--dtype", default="float32", metavar="DTYPES", help="float32, float64 or both.")
@click.option("--threads", default="", metavar="NUMBERS", help="PyTorch's.", show_default="as PyTorch has it")
@click.option(
    "--algorithm",
    default="auto",
    metavar="NAMES",
    help="What handgrad runs: a name that hg.set_algorithm takes, or own, which is auto without native.",
)
@click.option(
    "--against",
    metavar="PEERS",
    help="native, channels-last, unfold, matmul, jax; for samples vmap, loop, expanded-weights, opacus, functorch, "
    "backpack; '' for none.",
    show_default="native,channels-last, and of samples all of theirs",
)
@click.option("--seconds", type=Finite(min=0), default=0.3, help="At least so long for each contestant at each task.")
@click.option("--repeats", type=click.IntRange(min=1), default=5, help="And at least so many calls.")
@click.option("--peak-memory", is_flag=True, help="Measure memory instead of time, each call in a fresh process.")
@click.option("json_file", "--json", type=FILE, metavar="FILE", help="Write everything as JSON.")
@click.option("csv_file", "--csv", type=FILE, metavar="FILE", help="Write everything as CSV.")
@click.option("plot_file", "--plot", type=FILE, metavar="FILE", help="Draw ours against theirs: .png, .svg or .pdf.")
@click.pass_context
def bench(ctx: click.Context, /, peak_memory: bool, **asked: Any) -> None:
    """Race handgrad's convolutions against others on this machine.

    Lists have commas between their entries. A contestant must first be right, by a comparison in float64; then all take
    turns. Peers that are not installed are named and left out. Ctrl-C shows what was measured so far.

    Exit status: 0, or 1 if handgrad itself was wrong or failed at anything.
    """
    files = {kind: asked.pop(f"{kind}_file") for kind in ("json", "csv", "plot")}
    if files["plot"] and asked["against"] == "":
        raise click.UsageError("--plot shows ours against theirs; name a peer with --against")
    _check_files(peak_memory, **files)
    from handgrad._bench.run import Report
    from handgrad._bench.settings import settle

    report = Report(settle(asked.pop("suite"), asked.pop("shapes"), **asked))
    whole = _fill(report, peak_memory)
    _show(report, peak_memory)
    _write(report, **files)
    own = [row.results[name].status for row in report.rows for name in report.settings.own]
    ctx.exit(130 if not whole else int("wrong" in own or "failed" in own))


def _check_files(peak_memory: bool, plot: Path | None, **others: Path | None) -> None:
    """What cannot be written is said before the race, not after."""
    from handgrad._bench.plot import SUFFIXES

    if plot is not None and peak_memory:
        raise click.UsageError("--plot shows speed; leave it out with --peak-memory")
    if plot is not None and plot.suffix not in SUFFIXES:
        raise click.BadParameter(f"{plot}: the ending must be one of {', '.join(SUFFIXES)}", param_hint="--plot")
    for path in (plot, *others.values()):
        if path is not None and not path.parent.is_dir():
            raise click.BadParameter(f"{path}: its folder does not exist")


def _fill(report: Report, peak_memory: bool) -> bool:
    """Run everything; False if somebody stopped it."""
    from handgrad._bench import memory
    from handgrad._bench.run import run, timed

    try:
        with _progress(report.settings) as told:
            for row in run(report, memory.in_processes if peak_memory else timed):
                told.row(row)
    except KeyboardInterrupt:
        click.echo("stopped; this is what was measured:", err=True)
        return False
    return True


def _show(report: Report, peak_memory: bool) -> None:
    from rich.console import Console

    from handgrad._bench import table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 1000)  # a file has room, and a table is no wider than it must be
    for part in table.memories(report) if peak_memory else (*table.speeds(report), *table.figures(report)):
        console.print(part)
    for line in table.remarks(report):
        click.echo(line)


def _write(report: Report, json: Path | None, csv: Path | None, plot: Path | None) -> None:
    from handgrad._bench import export
    from handgrad._bench.plot import save

    if json is not None:
        json.write_text(export.as_json(report), encoding="utf-8")
    if csv is not None:
        csv.write_text(export.as_csv(report), encoding="utf-8")
    if plot is not None:
        save(report, plot)
    for path in (json, csv, plot):
        if path is not None:
            click.echo(f"written: {path}")


class _Progress(Protocol):
    def row(self, row: Row) -> None:
        """One more task is done."""


class _Lines:
    def row(self, row: Row) -> None:
        """A line on standard error."""
        from handgrad._bench.table import words

        click.echo(words(row), err=True)


@contextmanager
def _progress(settings: Settings) -> Iterator[_Progress]:
    """A bar if standard error is a terminal that can show one, else a line a task."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    # drawn between two tasks only: a thread that draws would run in somebody's turn
    with Progress(*columns, *times, console=console, auto_refresh=False) as bar:
        total = len(settings.shapes) * len(settings.ops) * len(settings.dtypes) * len(settings.threads)
        task = bar.add_task("", total=total)

        class Bar:
            def row(self, row: Row) -> None:
                """One further."""
                bar.update(task, advance=1, description=f"{row.task.shape.name} {row.task.op}", refresh=True)

        yield Bar()
