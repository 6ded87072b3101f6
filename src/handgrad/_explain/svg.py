"""A picture as SVG, light or dark as the page around it wishes; no colour tells what a line style does not."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from . import picture as pictures
from .picture import CELL, Cell, Label
from .trace import Trace

_STYLE = """
text{font:13px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1c1f23}
text.strong{font-weight:700}.cell text{text-anchor:middle}
rect{fill:#eef0f2;stroke:#cfd4da}.hatched text{fill:#565d66}.hatched rect{stroke-dasharray:1 3;stroke:#565d66}
.image rect{fill:#d6e9f8;stroke:#0060a0;stroke-width:2;stroke-dasharray:none}
.weight rect{fill:#ffe3c7;stroke:#a84300;stroke-width:3}
.map rect{fill:#cdeee1;stroke:#00704f;stroke-width:2;stroke-dasharray:5 2}
.column rect{fill:#f3dbec;stroke:#8a3d75;stroke-width:2;stroke-dasharray:2 2}
.now rect{fill:#1c1f23;stroke:#1c1f23}.now text{fill:#fff;font-weight:700}
@media(prefers-color-scheme:dark){text{fill:#e8eaed}rect{fill:#23282e;stroke:#3d444d}.hatched text{fill:#a6adb6}
.image rect{fill:#12395a;stroke:#7cc3f5}.weight rect{fill:#59300c;stroke:#ffb070}.map rect{fill:#0b4634;stroke:#4fd6aa}
.column rect{fill:#4d2342;stroke:#eaa5d6}.now rect{fill:#f4f5f6;stroke:#f4f5f6}.now text{fill:#14171a}}
"""


def picture(trace: Trace, name: str, index: Sequence[int] | None) -> str:
    """The SVG of one entry. Raises HandgradError where there is none."""
    drawn = pictures.picture(trace, name, index)
    title = escape(f"{name} of {trace.operation}, one entry and what meets in it")
    size = f'viewBox="-8 0 {drawn.width + 8:g} {drawn.height:g}" width="{drawn.width + 8:g}" height="{drawn.height:g}"'
    body = "\n".join([*map(_cell, drawn.cells), *map(_label, drawn.labels)])
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>'
    return f"{head}\n<title>{title}</title>\n<style>{_STYLE}</style>\n{body}\n</svg>\n"


def _cell(cell: Cell) -> str:
    kind = " ".join(filter(None, ("cell", "hatched" if cell.hatched else "", cell.mark)))
    box = f'<rect x="{cell.x:g}" y="{cell.y:g}" width="{CELL - 3}" height="{CELL * 0.8 - 3:g}"/>'
    middle = f'x="{cell.x + CELL / 2 - 1.5:g}" y="{cell.y + CELL * 0.55:g}"'
    return f'<g class="{kind}">{box}<text {middle}>{escape(cell.text)}</text></g>'


def _label(label: Label) -> str:
    strong = ' class="strong"' if label.strong else ""
    return f'<text{strong} x="{label.x:g}" y="{label.y:g}">{escape(label.text)}</text>'
