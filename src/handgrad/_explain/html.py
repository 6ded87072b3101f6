"""A trace as a page: one file with its style, its script and its numbers in it, and nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from torch import Tensor

from .._geometry import Ints
from .box import Box
from .code import FORMS, setup, snippets
from .data import page_data
from .numbers import compact, unravel
from .roles import SYMBOLS
from .sections import Section, sections
from .sentence import agreement, formulas, legend, reading, sentence
from .trace import Trace
from .view import PAGE, Plane, View, gaps, thinned, views

_FOLDER = Path(__file__).parent / "page"
CellOf = Callable[[Ints], tuple[str, str]]  # what a cell shows, and its kind
Heads = tuple[Callable[[int], str], Callable[[int], str]]

_UNFOLDED = 8  # rows of the columns, beyond which they would push the result out of sight
_WIDE, _WIDE_FRACTIONS = 16, 6  # rows or columns of a plane, beyond which its cells are shades


def page(trace: Trace) -> str:
    """The page."""
    shown = views(trace, PAGE)
    made: str = _template().render(
        title=trace.title or f"{trace.operation} explained",
        sentence=sentence(trace),
        sizes=formulas(trace),
        agreement=agreement(trace),
        agrees=max(trace.errors.values()) < 1e-9,
        legend=legend(trace),
        reading=reading(trace),
        sides=("output", "input") if trace.transposed else ("input", "output"),
        sections=[_section(trace, part, shown) for part in sections(trace)],
        setup=setup(trace),
        forms=FORMS,
        compared=trace.compared,
        data=_script_json(page_data(trace, shown)),
        css=(_FOLDER / "page.css").read_text(encoding="utf-8"),
        script=(_FOLDER / "page.js").read_text(encoding="utf-8"),
    )
    return made


def frame(trace: Trace) -> str:
    """The page in a frame, for a notebook."""
    style = "width: 100%; height: 48rem; border: 0"
    return (
        f'<iframe title="{escape(trace.operation)} explained" style="{style}" srcdoc="{escape(page(trace))}"></iframe>'
    )


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _script_json(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _section(trace: Trace, part: Section, shown: dict[str, View]) -> dict[str, Any]:
    code = snippets(trace, part.result)
    return {
        "part": part,
        "einsum": code.pop("einsum"),
        "code": code,
        "tensors": {step.name: _tensor(trace, shown[step.name]) for step in part.steps},
        "yours": _yours(trace, part.result, shown) if part.result in trace.compared else None,
        "causes": trace.compared[part.result].causes if part.result in trace.compared else (),
        "right": trace.boxes[part.result],
        "claim": trace.compared.get(part.result),
    }


def _tensor(trace: Trace, view: View) -> dict[str, Any]:
    box = view.box

    def cell(index: Ints) -> tuple[str, str]:
        return compact(box.at(index)), _kind(trace, box, index)

    matrix, widest = box.name.endswith("columns"), max(map(len, view.shown[-2:]))
    # beside a claim, whose numbers are to be compared, only what is really large is shades
    whole = bool(trace.compared) or all(value == round(value) for value in view.values() if isfinite(value))
    return {
        "name": box.name,
        "symbol": box.symbol,
        "shape": list(zip(box.letters, box.shape, strict=True)),
        "left_out": view.left_out,
        "wide": not matrix and widest > (_WIDE if whole else _WIDE_FRACTIONS),
        "roomy": widest <= _WIDE,
        "matrix": matrix,
        "folded": len(view.shown[1]) if matrix and len(view.shown[1]) > _UNFOLDED else 0,
        "planes": [_plane(plane, cell, _heads(trace, box.name)) for plane in view.planes()],
    }


def _plane(plane: Plane, cell: CellOf, heads: Heads = (str, str)) -> dict[str, Any]:
    """A table: its cells by `cell`, its rows and columns named by `heads`; a vector has no rows."""
    row_head, column_head = heads if len(plane.box.letters) > 1 else (lambda _: "", heads[1])
    rows = []
    for row, skipped in gaps(plane.rows):
        cells = [(gap, *cell(plane.index(row, column))) for column, gap in gaps(plane.columns)]
        rows.append({"gap": skipped, "head": row_head(row), "cells": cells})
    return {
        "label": plane.label,
        "rows": rows,
        "heads": [(gap, column_head(column)) for column, gap in gaps(plane.columns)],
    }


def _heads(trace: Trace, name: str) -> Heads:
    """How rows and columns are numbered: in the matrix of columns by channel and tap, and by window."""
    if not name.endswith("columns"):
        return str, str

    def row(flat: int) -> str:
        channel, *tap = unravel(flat, trace.geometry.kernel)
        return f"{channel}·{','.join(map(str, tap))}"

    return row, lambda flat: ",".join(map(str, unravel(flat, trace.geometry.output)[1:]))


def _kind(trace: Trace, box: Box, index: Ints) -> str:
    """What is peculiar about an entry: p, read from the padding; d, dropped there; u, no window reaches it."""
    if box.name in (trace.roles.image, trace.roles.folded):
        if not trace.is_inside(index[2:]):
            return "p" if box.name == trace.roles.image else "d"
        read = all(any(True for _ in axis.meetings(i, True)) for axis, i in zip(trace.axes, index[2:], strict=True))
        return "" if read else "u"
    if box.name in (trace.roles.unfolded, trace.roles.product):
        _, _, k, p = trace.column(index)
        outside = not trace.is_inside(trace.positions(p, k))
        return ("p" if box.name == trace.roles.unfolded else "d") if outside else ""
    return ""


def _yours(trace: Trace, name: str, shown: Mapping[str, View]) -> dict[str, Any]:
    """What somebody claims, in the planes of the right result, or, if its shape is another, in its own."""
    claim, view = trace.compared[name], shown[name]
    shape, wrong = tuple(claim.values.shape), claim.wrong
    if wrong is not None:

        def cell(index: Ints) -> tuple[str, str]:
            if not all(0 <= i < size for i, size in zip(index, shape, strict=True)):
                return "", "none"  # the padding around the right one
            return compact(float(claim.values[index])), "x" if bool(wrong[index]) else ""

        return {"shape": shape, "planes": [_plane(plane, cell) for plane in view.planes()], "left_out": ""}
    own = _own_view(name, claim.values)
    planes = [_plane(plane, lambda index: (compact(own.box.at(index)), "x")) for plane in own.planes()]
    return {"shape": shape, "planes": planes, "left_out": own.left_out}


def _own_view(name: str, values: Tensor) -> View:
    """A tensor of any shape as far as there is room; a number alone is a vector of one."""
    values = values if values.dim() else values.view(1)
    shape = tuple(values.shape)
    letters = tuple(f"axis {axis}" for axis in range(len(shape)))
    box = Box(name, SYMBOLS[name], letters, letters, values, (0,) * len(shape), values)
    inner = len(shape) - 2
    return View(box, tuple(thinned(tuple(range(size)), 8 if axis >= inner else 2) for axis, size in enumerate(shape)))
