"""What a person sees of a run: a bar in a terminal, else a line an epoch; a table at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from handgrad._training.evaluate import Result
from handgrad._training.private import accounting
from handgrad._training.run import Run
from handgrad._training.session import Session

from .here import program


class Lines:
    """One plain line an epoch."""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def epoch_begins(self, session: Session) -> None:
        """Nothing to say yet."""

    def batch_done(self, session: Session) -> None:
        """Too often for a line."""

    def epoch_done(self, session: Session, line: Mapping[str, Any]) -> None:
        """The line."""
        click.echo(_words(line, session.config.epochs))


class Bar:
    """A bar over the whole run: rate, loss and accuracy of the epoch so far, time left; past epochs' lines above."""

    def __init__(self, console: Console, session: Session) -> None:
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[rate]} images/s  loss {task.fields[loss]}  accuracy {task.fields[accuracy]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        total, done = session.config.epochs * session.batches, session.progress.epoch * session.batches
        fields: dict[str, Any] = {"epoch": session.progress.epoch + 1, "epochs": session.config.epochs}
        self._task: TaskID = self._bar.add_task(
            "", total=total, completed=done + session.progress.position, rate="-", loss="-", accuracy="-", **fields
        )

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def epoch_begins(self, session: Session) -> None:
        """Its number."""
        self._bar.update(self._task, epoch=session.progress.epoch + 1)

    def batch_done(self, session: Session) -> None:
        """The figures so far."""
        progress = session.progress
        speed = self._bar.tasks[0].speed
        self._bar.update(
            self._task,
            advance=1,
            rate="-" if speed is None else f"{speed * session.config.batch_size:.0f}",
            loss=_shown(progress.mean_loss, ".4f"),
            accuracy=_shown(progress.accuracy, ".2%"),
        )

    def epoch_done(self, session: Session, line: Mapping[str, Any]) -> None:
        """The line, above the bar."""
        self._bar.console.print(_words(line, session.config.epochs), highlight=False, markup=False)


def reporter(session: Session) -> AbstractContextManager[Lines | Bar]:
    """A bar if standard output is a terminal that can show one."""
    console = Console()
    return Bar(console, session) if console.is_terminal and not console.is_dumb_terminal else Lines()


def summary(session: Session, place: Run, result: Result, drawn: Sequence[Path]) -> None:
    """The table at the end, the result, and where everything lies."""
    history = session.progress.history
    best = max(history, key=lambda line: line["test_accuracy"])
    table = Table("", "epoch", "train loss", "test loss", "train accuracy", "test accuracy")
    for name, line in (("first", history[0]), ("best", best), ("last", history[-1])):
        losses = (_shown(line["train_loss"], ".4f"), _shown(line["test_loss"], ".4f"))
        accuracies = (_shown(line["train_accuracy"], ".2%"), _shown(line["test_accuracy"], ".2%"))
        table.add_row(name, str(line["epoch"]), *losses, *accuracies)
    Console().print(table)
    count = len(session.data.test)
    click.echo(f"test accuracy {result.accuracy:.2%}: {round((1 - result.accuracy) * count)} of {count} images wrong")
    if session.privacy is not None and session.epsilon is not None:
        click.echo(
            f"the weights are private, ε = {accounting.shown(session.epsilon)} at δ = {session.privacy.delta:g}; "
            "the figures and pictures here are not"
        )
    for path in drawn:
        click.echo(f"picture: {path}")
    click.echo(f"next:    {program()} predict {place.folder} IMAGE.png")


def _words(line: Mapping[str, Any], epochs: int) -> str:
    told = [
        f"epoch {line['epoch']:{len(str(epochs))}}/{epochs}",
        f"train loss {_shown(line['train_loss'], '.4f')}",
        f"test loss {line['test_loss']:.4f}",
        f"test accuracy {line['test_accuracy']:.2%}",
    ]
    if "epsilon" in line:
        told.append(f"ε {accounting.shown(line['epsilon'])}")
    if "grad_noise_scale" in line:
        told.append(f"noise scale {_shown(line['grad_noise_scale'], '.3g')}")
    return "  ".join([*told, f"{line['seconds']:.1f} s"])


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
