"""Runs the corpus: every program through the command's own options, in this process, and counts what is said."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tomllib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handgrad._check.report import Report
from handgrad._check.request import Request
from handgrad._check.target import check_target
from handgrad._cli.check import check, request_of
from handgrad._errors import HandgradError

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Program:
    """One entry of corpus.toml."""

    name: str
    set: str
    style: str
    args: tuple[str, ...]
    expect: str
    also: tuple[str, ...] = ()
    target: str = ""
    gradient: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Its file."""
        return CORPUS / self.set / f"{self.name}.py"

    @property
    def request(self) -> Request:
        """What `handgrad check` makes of its arguments."""
        target = f"{self.path}:{self.target}" if self.target else str(self.path)
        return request_of(**check.make_context("check", [target, *self.args]).params)


@dataclass(frozen=True)
class Outcome:
    """What was said about a program: the first cause, `correct`, or the verdict where there is no finding."""

    program: Program
    said: str
    causes: tuple[str, ...]
    report: Report | None = None

    @property
    def right(self) -> bool:
        """Whether the first finding is the expected one."""
        return self.said == self.program.expect

    @property
    def named_wrong(self) -> bool:
        """Whether a wrong program was given a cause that is not its own."""
        honest = ("unexplained", "error", "inconclusive", "usage")
        return not self.right and self.program.expect != "correct" and self.said not in honest

    @property
    def complete(self) -> bool:
        """Whether the other causes of a pair are findings too."""
        return self.right and set(self.program.also) <= set(self.causes)


def programs(which: str) -> list[Program]:
    """The programs of one set."""
    entries = tomllib.loads((CORPUS.parent / "corpus.toml").read_text())["program"]
    return [_program(entry) for entry in entries if entry["set"] == which]


def _program(entry: Mapping[str, Any]) -> Program:
    kept = {key: entry[key] for key in ("name", "set", "style", "expect")}
    lists = {key: tuple(entry.get(key, ())) for key in ("args", "also", "gradient")}
    return Program(**kept, **lists, target=entry.get("target", ""))


def run(program: Program) -> Outcome:
    """Check one program; what it prints is dropped."""
    before = os.getcwd(), list(sys.path)
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            report = check_target(program.request)
        except HandgradError:
            return Outcome(program, "usage", ())
        finally:
            os.chdir(before[0])
            sys.path[:] = before[1]
    causes = tuple(finding.cause for finding in report.findings)
    return Outcome(program, said(report), causes, report)


def said(report: Report) -> str:
    """The cause of the first gradient that has one; the verdict otherwise."""
    if report.verdict in ("correct", "error"):
        return report.verdict
    return next((finding.cause for finding in report.findings), report.verdict)


def summary(outcomes: Iterable[Outcome]) -> str:
    """The figures of one set, without names."""
    outcomes = list(outcomes)
    wrong = [outcome for outcome in outcomes if outcome.program.expect != "correct"]
    right = [outcome for outcome in outcomes if outcome.program.expect == "correct"]
    named, pairs = sum(o.right for o in wrong), [o for o in wrong if o.program.also]
    return (
        f"{named} of {len(wrong)} wrong programs named right ({100 * named / max(1, len(wrong)):.1f} %), "
        f"{sum(o.said == 'unexplained' for o in wrong)} unexplained, {sum(o.named_wrong for o in wrong)} named wrong, "
        f"{sum(o.said in ('error', 'inconclusive', 'usage', 'correct') for o in wrong)} without a cause; "
        f"{sum(o.complete for o in pairs)} of {len(pairs)} pairs complete; "
        f"{sum(o.right for o in right)} of {len(right)} correct programs called correct, "
        f"{sum(not o.right and o.said not in ('error', 'inconclusive', 'usage') for o in right)} false alarms"
    )
