"""A picture as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .picture import CELL, picture
from .trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# (face, edge, line style, line width)
_LOOKS = {
    "": ("#eef0f2", "#cfd4da", "-", 0.6),
    "image": ("#d6e9f8", "#0060a0", "-", 1.4),
    "weight": ("#ffe3c7", "#a84300", "-", 2.2),
    "map": ("#cdeee1", "#00704f", "--", 1.4),
    "column": ("#f3dbec", "#8a3d75", ":", 1.4),
    "now": ("#1c1f23", "#1c1f23", "-", 1.4),
}


def figure(trace: Trace, name: str, index: Sequence[int] | None) -> Figure:
    """The figure of one entry, closed to pyplot. Raises HandgradError where there is none."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    drawn = picture(trace, name, index)
    made = Figure(figsize=(drawn.width / 90, drawn.height / 90))
    axes = made.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-8, drawn.width), ylim=(drawn.height, 0))
    axes.set_axis_off()
    for cell in drawn.cells:
        face, edge, style, width = _LOOKS[cell.mark]
        hatch = "////" if cell.hatched else None
        box = Rectangle((cell.x, cell.y), CELL - 3, CELL * 0.8 - 3, fc=face, ec=edge, ls=style, lw=width, hatch=hatch)
        axes.add_patch(box)
        middle = cell.x + CELL / 2 - 1.5, cell.y + CELL * 0.4
        colour = "white" if cell.mark == "now" else "#1c1f23"
        axes.text(*middle, cell.text, ha="center", va="center", fontsize=7, family="monospace", color=colour)
    for label in drawn.labels:
        weight = "bold" if label.strong else "normal"
        axes.text(label.x, label.y, label.text, fontsize=7.5, family="monospace", fontweight=weight)
    return made
