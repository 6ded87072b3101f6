"""A report as text, in colour where there is a terminal, and for a notebook. Renderers only read it."""

from __future__ import annotations

import html as _html
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from .causes import CAUSES
from .report import Finding, Gradient, Report

_COLOURS = {"correct": "bold green", "wrong": "bold red", "error": "bold red", "inconclusive": "bold yellow"}
_SHOWN_ALREADY = {
    "shape",
    "expected_shape",
    "relative_error",
    "expression",
    "operands",
    "map",
    "user_values",
    "true_values",
}


def text(report: Report, *, verbose: bool = False) -> Text:
    """The report: the verdict first, then a block for each gradient."""
    result = Text()
    result.append(report.verdict, _COLOURS[report.verdict])
    result.append(f": {headline(report)}\n")
    for entry in report.trace:
        _trace_line(result, entry)
    for gradient in report.gradients:
        _gradient(result, gradient, verbose)
    for note in report.notes:
        result.append(f"note: {note}\n", "dim")
    return result


def headline(report: Report) -> str:
    """The verdict in a sentence."""
    if report.message:
        return report.message
    of = f" of {report.operation}" if report.operation else ""
    total, wrong = len(report.gradients), sum(gradient.verdict == "wrong" for gradient in report.gradients)
    if report.verdict == "correct":
        return f"{'the gradient' if total == 1 else f'all {total} gradients'}{of} {'is' if total == 1 else 'are'} right"
    if report.verdict == "wrong":
        if total == 1:
            return f"the gradient{of} is wrong"
        return f"{wrong} of {total} gradients{of} {'is' if wrong == 1 else 'are'} wrong"
    return f"{total} gradients{of}"


def _gradient(result: Text, gradient: Gradient, verbose: bool) -> None:
    result.append(f"\n{gradient.name}", "bold")
    result.append(f"  {gradient.verdict}", _COLOURS[gradient.verdict])
    result.append(f"  {_numbers(gradient)}\n")
    for label, value in _rows(gradient, verbose):
        lines = value.splitlines() or [""]
        style = "bold cyan" if label == "fix" else "bold" if label == "cause" else ""
        result.append(f"  {label:9} ", "dim").append(f"{lines[0]}\n", style)
        for line in lines[1:]:
            result.append(f"  {'':9} ").append(f"{line}\n", style)


def _numbers(gradient: Gradient) -> str:
    parts = []
    if gradient.shape != gradient.expected_shape and gradient.shape is not None:
        parts.append(f"shape {gradient.shape}, expected {gradient.expected_shape}")
    elif gradient.expected_shape is not None:
        parts.append(f"shape {gradient.expected_shape}" + (", nothing came back" if gradient.shape is None else ""))
    if gradient.relative_error is not None:
        parts.append(f"relative error {gradient.relative_error:.2g}")
    return ", ".join(parts)


def _rows(gradient: Gradient, verbose: bool) -> Iterator[tuple[str, str]]:
    for finding in gradient.findings:
        yield "cause", finding.cause + (" (latent)" if finding.evidence.get("latent") else "")
        yield "", finding.message or CAUSES.get(finding.cause, "")
        evidence = {key: value for key, value in finding.evidence.items() if key not in _SHOWN_ALREADY}
        if evidence:
            yield "evidence", ", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in evidence.items())
        yield from _place(finding)
        if finding.fix and finding.fix != gradient.fix:
            yield "fix", finding.fix
        if verbose:
            yield from (
                (key.replace("_", " "), str(finding.evidence[key]))
                for key in ("user_values", "true_values")
                if key in finding.evidence
            )
    if gradient.fix:
        yield "fix", gradient.fix
    if gradient.note:
        yield "note", gradient.note
    if gradient.map and gradient.verdict == "wrong":
        yield "map", f"{gradient.map}\n(. right, █ wrong)"


def _place(finding: Finding) -> Iterator[tuple[str, str]]:
    if finding.location is None:
        return
    where = f"{finding.location.file}:{finding.location.line}:{finding.location.column}"
    expression = finding.evidence.get("expression")
    yield "place", f"{where}  {expression}" if expression else where
    operands = finding.evidence.get("operands")
    if operands:
        yield "operands", ", ".join(f"{name} {_shape(shape)}" for name, shape in operands.items())


def _shape(shape: Any) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    shown = str(value)
    return shown if len(shown) <= 100 else shown[:99] + "…"


def _trace_line(result: Text, entry: Mapping[str, Any]) -> None:
    result.append(f"{entry.get('line', ''):>4}  ", "dim")
    result.append(f"{_shape(entry['shape']) if entry.get('shape') is not None else '':18} ")
    result.append(f"{entry.get('text', '')}\n")
    if entry.get("note"):
        result.append(f"      {'':18} ^ {entry['note']}\n", "yellow")


def html(report: Report) -> str:
    """The text in a `<pre>`, with the colours as inline styles."""
    shown = text(report)
    parts = []
    for line in shown.split("\n", allow_blank=True):
        for segment in line.render(_console(), end="\n"):
            style = segment.style.get_html_style(_theme()) if segment.style else ""
            body = _html.escape(segment.text)
            parts.append(f'<span style="{style}">{body}</span>' if style else body)
    return f"<pre>{''.join(parts).rstrip()}</pre>"


def _console() -> Any:
    from rich.console import Console

    return Console()


def _theme() -> Any:
    from rich.terminal_theme import DEFAULT_TERMINAL_THEME

    return DEFAULT_TERMINAL_THEME
