"""What a check says of one gradient, as frozen data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RIGHT_FOR_YOURS = "right for your sizes"


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


def all_fixes(findings: Iterable[Finding]) -> str | None:
    """What undoes several slips, in words, each once; None where nothing is known."""
    return "; ".join(dict.fromkeys(finding.fix for finding in findings if finding.fix)) or None


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

    @property
    def has_right_values(self) -> bool:
        """Whether it equals the truth all the same, so that what is wrong is something else about the code."""
        return self.relative_error is not None and self.relative_error < 1e-6

    @property
    def is_latent(self) -> bool:
        """Whether it is right at the person's own sizes, and wrong at others."""
        return self.note is not None and self.note.startswith(RIGHT_FOR_YOURS)
