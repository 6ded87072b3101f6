"""`handgrad check TARGET`: what is wrong with a hand-written backward pass, where, and the line that is right."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from .._check.encoding import encode
from .._check.report import Report
from .._check.request import TIMEOUT, Request
from .._check.sandbox import check_apart
from .._errors import HandgradError

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


@click.command()
@click.argument("target")
@click.option(
    "inputs", "--input", multiple=True, metavar="NAME=SHAPE[:KIND]", help="An input: x=2x3x9x7, t=5:int. Repeatable."
)
@click.option("--like", metavar="OPERATION", help="What the forward is declared to be: conv2d, linear, relu …")
@click.option("--stride", type=Sizes())
@click.option("--padding", type=Sizes())
@click.option("--dilation", type=Sizes())
@click.option("--groups", type=int)
@click.option("--kernel-size", type=Sizes(), help="Of a pooling.")
@click.option("--eps", type=float, help="Of a normalisation.")
@click.option("--output", metavar="VARIABLE", help="A flat script's output.")
@click.option("--grad-output", metavar="VARIABLE", help="A flat script's gradient of the output.")
@click.option("--wrt", multiple=True, metavar="VARIABLE=GRADIENT", help="A flat script's claim. Repeatable.")
@click.option("--timeout", type=float, default=TIMEOUT, show_default=True, help="Seconds for everything.")
@click.option("as_json", "--json", is_flag=True, help="Print one JSON object.")
@click.option("--verbose", is_flag=True, help="Print whole arrays.")
def check(target: str, as_json: bool, timeout: float, **asked: Any) -> None:
    """Check the hand-written backward pass in TARGET: file.py, file.py:Name, or module:Name.

    Checking a file runs it, in a process of its own that is ended after the timeout.

    Exit status: 0 correct, 1 a gradient is wrong, 2 usage, 3 the checked code raised, 4 inconclusive or timed out.
    """
    try:
        report, code = check_apart(request_of(target=target, **asked), timeout), None
    except HandgradError as problem:
        report, code = Report("error", None, message=str(problem)), _USAGE
    show(report, as_json=as_json, verbose=asked["verbose"])
    sys.exit(_CODES[report.verdict] if code is None else code)


def request_of(*, as_json: bool = False, timeout: float = TIMEOUT, **asked: Any) -> Request:
    """The command's parameters as a request."""
    del as_json, timeout
    options = {name: value for name in _OPTIONS if (value := asked.pop(name)) is not None}
    return Request(options=options, **asked)


def show(report: Report, *, as_json: bool, verbose: bool) -> None:
    """The report on standard output: one JSON object, or text with colours in a terminal."""
    if as_json:
        click.echo(json.dumps(encode(report), ensure_ascii=False, allow_nan=False))
    else:
        from rich.console import Console

        from .._check.render import text

        Console(highlight=False, soft_wrap=True).print(text(report, verbose=verbose), end="")
