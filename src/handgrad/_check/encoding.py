"""A report as JSON values, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .report import Finding, Gradient, Location, Report


def encode(report: Report) -> dict[str, Any]:
    """The report as `--json` prints it."""
    return {
        "verdict": report.verdict,
        "operation": report.operation,
        "gradients": [_gradient(gradient) for gradient in report.gradients],
        "trace": [plain(entry) for entry in report.trace],
        "message": report.message,
        "notes": list(report.notes),
    }


def _gradient(gradient: Gradient) -> dict[str, Any]:
    return {
        "name": gradient.name,
        "verdict": gradient.verdict,
        "shape": plain(gradient.shape),
        "expected_shape": plain(gradient.expected_shape),
        "relative_error": plain(gradient.relative_error),
        "findings": [_finding(finding) for finding in gradient.findings],
        "fix": gradient.fix,
        "note": gradient.note,
        "map": gradient.map,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    where = finding.location
    location = None if where is None else {"file": where.file, "line": where.line, "column": where.column}
    return {
        "cause": finding.cause,
        "message": finding.message,
        "location": location,
        "fix": finding.fix,
        "evidence": plain(finding.evidence),
    }


def plain(value: Any) -> Any:
    """JSON values only: tuples are lists, and a number that JSON has no word for is its name."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if value != value else str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def decode(data: Mapping[str, Any]) -> Report:
    """The report that `encode` made this of."""
    gradients = tuple(_decoded_gradient(gradient) for gradient in data["gradients"])
    whole = {**data, "gradients": gradients, "trace": tuple(data["trace"]), "notes": tuple(data["notes"])}
    return Report(**whole)


def _decoded_gradient(data: Mapping[str, Any]) -> Gradient:
    findings = tuple(
        Finding(**{**finding, "location": finding["location"] and Location(**finding["location"])})
        for finding in data["findings"]
    )
    shapes = {key: None if data[key] is None else tuple(data[key]) for key in ("shape", "expected_shape")}
    error = data["relative_error"]
    return Gradient(
        **{**data, **shapes, "findings": findings, "relative_error": float(error) if error is not None else None}
    )
