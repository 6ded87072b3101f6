"""What a check found out, as frozen data; renderers only read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["correct", "wrong", "error", "inconclusive"]


@dataclass(frozen=True)
class Location:
    """Where in the user's code, lines and columns from 1."""

    file: str
    line: int
    column: int = 1


@dataclass(frozen=True)
class Finding:
    """One cause, in the words of `causes.CAUSES`; the first finding of a gradient is the cause."""

    cause: str
    message: str
    location: Location | None = None
    fix: str | None = None  # a line to paste, verified before it is shown
    evidence: Mapping[str, Any] = field(default_factory=dict)  # JSON values only


@dataclass(frozen=True)
class Gradient:
    """The verdict on one gradient."""

    name: str
    verdict: Literal["correct", "wrong", "inconclusive"]
    shape: tuple[int, ...] | None
    expected_shape: tuple[int, ...] | None
    relative_error: float | None
    findings: tuple[Finding, ...] = ()
    fix: str | None = None
    note: str | None = None  # "right for your sizes, wrong when the batch is larger than 1"
    map: str | None = None  # a small picture of the wrong entries, a character each


@dataclass(frozen=True)
class Report:
    """What `hg.check` returns."""

    verdict: Verdict
    operation: str | None  # declared or recognised
    gradients: tuple[Gradient, ...] = ()
    trace: tuple[Mapping[str, Any], ...] = ()  # flat scripts: one entry a tensor line
    message: str | None = None  # of an error or an inconclusive check
    notes: tuple[str, ...] = ()  # what holds for the whole: how inputs were drawn, what was recognised

    @property
    def ok(self) -> bool:
        """Whether every gradient is right."""
        return self.verdict == "correct"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the gradients."""
        return tuple(finding for gradient in self.gradients for finding in gradient.findings)

    def __str__(self) -> str:
        """The report as plain text, as the command prints it where there is no terminal."""
        from .render import text

        return text(self).plain

    def _repr_html_(self) -> str:
        """The report for a notebook."""
        from .render import html

        return html(self)
