"""`handgrad check TARGET`: what is wrong with a hand-written backward pass, where, and the line that is right."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import click

from .._check.encoding import encode
from .._check.report import Report
from .._check.request import TIMEOUT, Request
from .._check.sandbox import check_apart
from .._errors import HandgradError
from .options import Finite

_CODES = {"correct": 0, "wrong": 1, "error": 3, "inconclusive": 4}
_USAGE = 2
_OPTIONS = ("stride", "padding", "dilation", "groups", "kernel_size", "eps")  # of an operation


class Sizes(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """`2` or `2,1` or `2x1`: a number for every axis, or one each."""

    name = "N[,N…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """One number as an int, several as a tuple."""
        try:
            numbers = tuple(int(part) for part in str(value).replace("x", ",").split(","))
        except ValueError:
            self.fail(f"{value!r} is not a number or numbers with commas between them", param, ctx)
        return numbers[0] if len(numbers) == 1 else numbers


class _Command(click.Command):
    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click does it; a command line that it refuses is one JSON object, too, where that was asked for."""
        as_json = "--json" in args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as problem:
            if as_json:
                show(Report("error", None, message=problem.format_message()), as_json=True, verbose=False)
            raise


@click.command(cls=_Command)
@click.argument("target")
@click.option(
    "inputs", "--input", multiple=True, metavar="NAME=SHAPE[:KIND]", help="An input: x=2x3x9x7, t=5:int. Repeatable."
)
@click.option("--like", metavar="OPERATION", help="What the forward is declared to be: conv2d, linear, relu …")
@click.option("--stride", type=Sizes(), help="Of a convolution or pooling: 2, or 2,1 for height and width.")
@click.option("--padding", type=Sizes(), help="Of a convolution or pooling, on both sides.")
@click.option("--dilation", type=Sizes(), help="Of a convolution: the distance of the kernel's entries.")
@click.option("--groups", type=int, help="Of a convolution: how many parts its channels are in.")
@click.option("--kernel-size", type=Sizes(), help="Of a pooling.")
@click.option("--eps", type=float, help="Of a normalisation.")
@click.option("--output", metavar="VARIABLE", help="A flat script's output.")
@click.option("--grad-output", metavar="VARIABLE", help="A flat script's gradient of the output.")
@click.option("--wrt", multiple=True, metavar="VARIABLE=GRADIENT", help="A flat script's claim. Repeatable.")
@click.option(
    "--timeout",
    type=Finite(min=0, min_open=True),
    default=TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="For everything.",
)
@click.option("as_json", "--json", is_flag=True, help="Print one JSON object.")
@click.option(
    "html_file",
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page: a wrong convolution explained, yours beside the right one; else the report.",
)
@click.option("--verbose", is_flag=True, help="Print whole arrays.")
def check(target: str, as_json: bool, timeout: float, html_file: Path | None, **asked: Any) -> None:
    """Check the hand-written backward pass in TARGET: file.py, file.py:Name, or module:Name.

    Checking a file runs it, in a process of its own that is ended after the timeout.

    Exit status: 0 correct, 1 a gradient is wrong, 2 usage, 3 the checked code raised, 4 inconclusive, timed out or
    interrupted.
    """
    report, code = _report(request_of(target=target, **asked), timeout)
    show(report, as_json=as_json, verbose=asked["verbose"])
    if html_file is not None:
        write_page(report, html_file)
    sys.exit(code)


def write_page(report: Report, path: Path) -> None:
    """The report as a page. Fails as click does where the file cannot be written."""
    from .._check.page import plain

    html = report.explain().to_html() if report.example else plain(str(report), f"handgrad check: {report.verdict}")
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as problem:
        raise click.FileError(str(path), problem.strerror) from problem


def _report(request: Request, timeout: float) -> tuple[Report, int]:
    """The report and the exit status, whatever happens."""
    try:
        with _interruptible():
            report = check_apart(request, timeout)
    except HandgradError as problem:
        return Report("error", None, message=str(problem)), _USAGE
    except KeyboardInterrupt as problem:
        report = Report("inconclusive", None, message=f"interrupted by {problem}")
    except Exception as problem:  # no room for temporary files, no processes left: not the checked code's fault
        traceback.print_exc()
        report = Report("inconclusive", None, message=f"nothing was checked: {type(problem).__name__}: {problem}")
    return report, _CODES[report.verdict]


@contextmanager
def _interruptible() -> Iterator[None]:
    """Inside, the first signal that asks this process to end is a `KeyboardInterrupt` with its name."""
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]

    def interrupt(number: int, _: Any) -> NoReturn:
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)  # clearing up takes a moment, and a second one must not cut it short
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def request_of(**asked: Any) -> Request:
    """The command's parameters as a request, without those that are about the command itself."""
    options = {name: value for name in _OPTIONS if (value := asked.pop(name)) is not None}
    own = {field.name for field in fields(Request)}
    return Request(options=options, **{name: value for name, value in asked.items() if name in own})


def show(report: Report, *, as_json: bool, verbose: bool) -> None:
    """The report on standard output: one JSON object, or text with colours in a terminal."""
    if as_json:
        click.echo(json.dumps(encode(report), allow_nan=False))
    else:
        from rich.console import Console

        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal without the map's characters still has the rest
        Console(highlight=False, soft_wrap=True).print(report.text(verbose=verbose), end="")
