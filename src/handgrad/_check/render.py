"""A report as text, in colour where there is a terminal, and for a notebook. Renderers only read it."""

from __future__ import annotations

import html as _html
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from .causes import CAUSES
from .findings import Finding, Gradient, all_fixes

_COLOURS = {"correct": "bold green", "wrong": "bold red", "error": "bold red", "inconclusive": "bold yellow"}
_STYLES = {"fix": "bold cyan", "cause": "bold"}
_WIDTH = 100  # of a sentence; what may be pasted is never broken


def text(
    verdict: str,
    headline: str,
    trace: Sequence[Mapping[str, Any]],
    gradients: Sequence[Gradient],
    notes: Sequence[str],
    *,
    verbose: bool = False,
) -> Text:
    """The verdict first, then the trace of a script, then a block for each gradient."""
    result = Text()
    result.append(verdict, _COLOURS[verdict])
    result.append(f": {headline}\n")
    for entry in trace:
        _trace_line(result, entry)
    for gradient in gradients:
        _gradient(result, gradient, verbose)
    for note in notes:
        result.append(f"note: {note}\n", "dim")
    return result


def _gradient(result: Text, gradient: Gradient, verbose: bool) -> None:
    result.append(f"\n{gradient.name}", "bold")
    result.append(f"  {gradient.verdict}", _COLOURS[gradient.verdict])
    result.append(f"  {_numbers(gradient)}".rstrip() + "\n")
    for label, value in _rows(gradient, verbose):
        lines = value.splitlines() or [""]
        result.append(f"  {label:9} ", "dim").append(f"{lines[0]}\n", _STYLES.get(label, ""))
        for line in lines[1:]:
            result.append(f"  {'':9} ").append(f"{line}\n", _STYLES.get(label, ""))


def _numbers(gradient: Gradient) -> str:
    parts = []
    if gradient.shape != gradient.expected_shape and gradient.shape is not None:
        parts.append(f"shape {gradient.shape}, expected {gradient.expected_shape}")
    elif gradient.expected_shape is not None:
        parts.append(f"shape {gradient.expected_shape}" + (", nothing came back" if gradient.shape is None else ""))
    if gradient.verdict == "wrong" and gradient.has_right_values:
        parts.append("the values are right")
    elif gradient.relative_error is not None:
        parts.append(f"relative error {gradient.relative_error:.2g}")
    return ", ".join(parts)


def _rows(gradient: Gradient, verbose: bool) -> Iterator[tuple[str, str]]:
    fixes = [finding.fix for finding in gradient.findings]
    together = sum("draws" in finding.evidence for finding in gradient.findings)
    place: list[tuple[str, str]] = []
    for index, finding in enumerate(gradient.findings):
        yield "cause", finding.cause + (" (latent)" if finding.evidence.get("latent") else "")
        yield "", _wrapped(finding.message or CAUSES.get(finding.cause, ""))
        if index + 1 >= together:  # slips prove themselves together
            yield from _evidence(finding, together)
        if place != (place := list(_place(finding))) or len(place) == 1:
            yield from place
        if finding.fix and finding.fix not in fixes[index + 1 :]:  # one line may mend several slips
            yield "fix", finding.fix
        for key in ("user_values", "true_values") if verbose else ():
            if key in finding.evidence:
                yield key.replace("_", " "), _array(finding.evidence[key])
    if gradient.fix and gradient.fix not in (*fixes, all_fixes(gradient.findings)):
        yield "fix", gradient.fix
    if gradient.note:
        yield "note", gradient.note
    if gradient.map and gradient.verdict == "wrong" and not gradient.has_right_values:
        yield "map", _map(gradient.map)


def _evidence(finding: Finding, together: int) -> Iterator[tuple[str, str]]:
    """What the cause rests on; all other numbers stand in the message."""
    draws = finding.evidence.get("draws")
    if draws:
        where = f"all {draws} draws that show it" if draws > 1 else "the one draw that shows it"
        slips = "this slip" if together == 1 else f"these {together} slips together"
        yield "evidence", f"with {slips} the right gradient becomes yours, to rounding, in {where}"


def _array(values: Any) -> str:
    """Every number of a nested list, row by row."""
    import numpy as np  # torch comes with it, and the command prints without either

    return np.array2string(np.array(values, dtype=float), precision=4, threshold=sys.maxsize, max_line_width=_WIDTH)


def _map(picture: str) -> str:
    """The picture with its legend; one that says the same of every place is a sentence."""
    shades = set(picture) - {"\n"}
    if shades == {"█"}:
        return "every entry is wrong"
    partly = ", ░▒▓ wrong in part of the other axes" if shades & set("░▒▓") else ""
    return f"{picture}\n(the last two axes: . right{partly}, █ wrong)"


def _place(finding: Finding) -> Iterator[tuple[str, str]]:
    if finding.location is None:
        return
    file = finding.location.file.removeprefix(os.path.join(os.getcwd(), ""))
    where = f"{file}:{finding.location.line}:{finding.location.column}"
    expression = finding.evidence.get("expression")
    yield "place", f"{where}  {expression}" if expression else where
    operands, axes = finding.evidence.get("operands"), finding.evidence.get("axes", {})
    if operands:
        shown = {name: f"{name} {_shape(shape)}" for name, shape in operands.items()}
        yield "operands", ", ".join(s + (f" = {_shape(axes[n])}" if n in axes else "") for n, s in shown.items())


def _shape(shape: Any) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _wrapped(text: str) -> str:
    """Sentences in lines of one width; lines already, as of a traceback, stay as they are."""
    if "\n" in text:
        return text
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _trace_line(result: Text, entry: Mapping[str, Any]) -> None:
    result.append(f"{entry.get('line', ''):>4}  ", "dim")
    result.append(f"{_shape(entry['shape']) if entry.get('shape') is not None else '':18} ")
    result.append(f"{entry.get('text', '')}\n")
    if entry.get("note"):
        result.append(f"      {'':18} ^ {entry['note']}\n", "yellow")


def html(shown: Text) -> str:
    """The text in a `<pre>`, with the colours as inline styles."""
    from rich.console import Console
    from rich.terminal_theme import DEFAULT_TERMINAL_THEME

    console, parts = Console(), []
    for line in shown.split("\n", allow_blank=True):
        for segment in line.render(console, end="\n"):
            style = segment.style.get_html_style(DEFAULT_TERMINAL_THEME) if segment.style else ""
            body = _html.escape(segment.text)
            parts.append(f'<span style="{style}">{body}</span>' if style else body)
    return f"<pre>{''.join(parts).rstrip()}</pre>"
