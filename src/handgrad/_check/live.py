"""Checking objects that are there already, where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .inputs import parse_all
from .plan import Wanted
from .report import Report
from .run import check_subject, explained
from .subjects import Subject, UserCodeError
from .subjects.finding import of_object

WHERE = "checked in this process: nothing interrupts code that loops or exits"


def check_live(
    target: Any, specs: Sequence[str], given: Any, like: str | None, options: Mapping[str, Any], verbose: bool
) -> Report:
    """The report on live objects. What their code raises is raised, with its own traceback."""
    wanted = Wanted(specs=parse_all(specs), given=given, like=like, options=options, verbose=verbose)
    subject = Subject(of_object(target))
    try:
        report = check_subject(subject, wanted)
    except UserCodeError as problem:
        explained(problem, subject, wanted)
        raise problem.original from None
    return replace(report, notes=(*report.notes, WHERE))
