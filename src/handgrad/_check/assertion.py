"""`assert_gradients`: a check as a test, whose failure message is the diagnosis."""

from __future__ import annotations

from typing import Any

from . import check
from .report import Report


def assert_gradients(target: Any, **options: Any) -> Report:
    """Check a hand-written backward pass, with the arguments of `hg.check`, and return the report.

    Raises:
        AssertionError: unless every gradient is right; its message is the whole report.
    """
    __tracebackhide__ = True
    report = check(target, **options)
    if not report.ok:
        raise AssertionError(f"{report}")
    return report
