"""Where everything goes in a picture of one entry: each tensor of its section, what meets in it marked, and the sum.

Units are those of an SVG; `svg` and `plot` only draw what lies here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._errors import error
from .._geometry import Ints
from .marks import marks
from .numbers import compact, shape_text
from .sections import Section, sections
from .trace import Trace
from .view import Plane, View, example, views

CELL, LINE, GAP = 30, 20, 14
_ROOM = 160  # entries of a tensor
_WIDTH = 900
_TERMS = 8


@dataclass(frozen=True)
class Cell:
    """A number in its box; `mark` is its part in the sum: image, weight, map, column, now, or nothing."""

    x: float
    y: float
    text: str
    mark: str
    hatched: bool


@dataclass(frozen=True)
class Label:
    """A line of text, by the left end of its base."""

    x: float
    y: float
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Picture:
    """Everything that is drawn, and how large it is."""

    width: float
    height: float
    cells: tuple[Cell, ...]
    labels: tuple[Label, ...]


def picture(trace: Trace, name: str, index: Sequence[int] | None) -> Picture:
    """The picture of an entry of a result. Raises HandgradError where there is none."""
    parts = {part.result: part for part in sections(trace)}
    if name not in parts:
        raise error("explain", f"{name!r} is no result of this convolution", known=", ".join(parts))
    shown = views(trace, _ROOM)
    written = trace.sum(name, example(trace, name, shown) if index is None else index)
    return _Drawing(trace, shown, marks(trace, parts[name], written)).of(parts[name], written.line(_TERMS))


class _Drawing:
    """Lays tensors side by side, and begins a new line where one does not fit."""

    def __init__(self, trace: Trace, shown: Mapping[str, View], marked: Mapping[tuple[str, Ints], str]) -> None:
        self.trace, self.shown, self.marked = trace, shown, marked
        self.cells: list[Cell] = []
        self.labels: list[Label] = []
        self.x = self.y = self.below = 0.0
        self.width = 0.0

    def of(self, part: Section, line: str) -> Picture:
        self._label(LINE, part.formula, strong=True)
        self.y = self.below = 2 * LINE
        for step in part.steps:
            self._tensor(self.shown[step.name], step.operation)
        self.x, self.y = 0, self.below
        self._label(LINE, line, strong=True)
        return Picture(self.width + GAP, self.y + 2 * LINE, tuple(self.cells), tuple(self.labels))

    def _label(self, down: float, text: str, strong: bool = False) -> None:
        self.labels.append(Label(self.x, self.y + down, text, strong))
        self.width = max(self.width, self.x + 8 * len(text))

    def _tensor(self, view: View, operation: str) -> None:
        planes = list(view.planes())
        wide = sum(_width(plane) for plane in planes)
        heading = f"{operation + ' → ' if operation else ''}{view.box.name} {shape_text(view.box.shape)}"
        if self.x and self.x + max(wide, 8 * len(heading)) > _WIDTH:
            self.x, self.y = 0, self.below
        left = self.x
        self._label(LINE, heading + (f" ({view.left_out})" if view.left_out else ""))
        for plane in planes:
            if self.x > left and self.x + _width(plane) > _WIDTH:
                self.x, self.y = left, self.below - LINE
            self._plane(plane)
        self.x, self.y = max(self.x, left + 8 * len(heading)) + GAP, self.y

    def _plane(self, plane: Plane) -> None:
        self.labels.append(Label(self.x, self.y + 2 * LINE, plane.label))
        for down, row in enumerate(plane.rows):
            for right, column in enumerate(plane.columns):
                place = plane.index(row, column)
                x, y = self.x + CELL * right, self.y + 2.4 * LINE + CELL * 0.8 * down
                mark = self.marked.get((plane.box.name, place), "")
                self.cells.append(Cell(x, y, compact(plane.box.at(place)), mark, self._hatched(plane, place)))
        self.below = max(self.below, self.y + 2.4 * LINE + CELL * 0.8 * len(plane.rows) + GAP)
        self.x += _width(plane)
        self.width = max(self.width, self.x)

    def _hatched(self, plane: Plane, place: Ints) -> bool:
        return plane.box.name in (self.trace.roles.image, self.trace.roles.folded) and not self.trace.is_inside(
            place[2:]
        )


def _width(plane: Plane) -> float:
    return max(CELL * len(plane.columns), 8 * len(plane.label)) + GAP
