"""A trace for a terminal: every tensor, and one entry of each result written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .._geometry import Ints
from .marks import marks
from .numbers import number
from .sections import Section, sections
from .sentence import agreement, formulas, sentence
from .trace import Trace
from .view import TERMINAL, Plane, View, example, gaps, views

_TERMS = 12  # of a sum in one line


def text(trace: Trace) -> str:
    """All of it. [5] meets in the sum below, · is padding of zeros, ~5 what padding copies or drops."""
    shown = views(trace, TERMINAL)
    head = [trace.title] if trace.title else []
    head += [sentence(trace), *formulas(trace), agreement(trace)]
    lines = [*head, *(line for part in sections(trace) for line in _section(trace, part, shown))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _section(trace: Trace, part: Section, shown: Mapping[str, View]) -> Iterator[str]:
    written = trace.sum(part.result, example(trace, part.result, shown))
    meeting = set(marks(trace, part, written))
    yield f"\n{part.title}   {part.formula}"
    yield f"{'':{len(part.title)}}   {part.product}"
    for step in part.steps:
        if step.operation:
            yield f"  ↓ {step.operation}"
        yield from _tensor(trace, shown[step.name], meeting)
    yield f"  {written.line(_TERMS)}"
    if part.result in trace.compared:
        yield from _compared(trace, part.result)


def _tensor(trace: Trace, view: View, meeting: set[tuple[str, Ints]]) -> Iterator[str]:
    box = view.box
    sizes = " ".join(f"{letter}={size}" for letter, size in zip(box.letters, box.shape, strict=True))
    yield f"  {box.symbol}  {box.name}  {sizes}{'  ' + view.left_out if view.left_out else ''}"
    for plane in view.planes():
        if plane.prefix:
            yield f"    {plane.label}"
        cells = [_cells(trace, plane, row, meeting) for row in plane.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for (_, skipped), row in zip(gaps(plane.rows), cells, strict=True):
            if skipped:
                yield "      ⋮"
            yield "     " + "".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _cells(trace: Trace, plane: Plane, row: int, meeting: set[tuple[str, Ints]]) -> list[str]:
    cells = []
    for column, skipped in gaps(plane.columns):
        index = plane.index(row, column)
        shown = _mark(trace, plane, index)
        shown = f"[{shown}]" if (plane.box.name, index) in meeting else f" {shown} "
        cells += ["…", shown] if skipped else [shown]
    return cells


def _mark(trace: Trace, plane: Plane, index: Ints) -> str:
    value = number(plane.box.at(index))
    if plane.box.name not in (trace.roles.image, trace.roles.folded) or trace.is_inside(index[2:]):
        return value
    return "·" if plane.box.name == trace.roles.image and trace.padding_mode == "zeros" else f"~{value}"


def _compared(trace: Trace, name: str) -> Iterator[str]:
    claim = trace.compared[name]
    if claim.wrong is None:
        yield f"  yours has shape {tuple(claim.values.shape)}, expected {trace.boxes[name].shape}"
    else:
        yield f"  yours: {claim.count} of {claim.values.numel()} entries are wrong"
    for cause in claim.causes:
        yield f"  cause {cause.name}: {cause.message}"
        if cause.fix:
            yield f"  fix   {cause.fix}"
