"""Shapes to race on: CSV files with one convolution a line, some of which come with the package."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod
from pathlib import Path

from .._errors import HandgradError, error
from .._geometry import ConvGeometry, Ints, conv_geometry

FOLDER = Path(__file__).parent / "suites"
EACH = "per-sample"
SUITES = ("training", "lenet", "resnet50", "mobilenet", EACH)

_COUNTS = ("N", "C", "O", "groups")
_PER_DIM = ("input", "kernel", "stride", "padding", "dilation")
COLUMNS = ("name", "dims", *_COUNTS, *_PER_DIM)


@dataclass(frozen=True)
class Shape:
    """One convolution: its sizes and settings, an entry a dimension."""

    name: str
    N: int
    C: int
    O: int
    groups: int
    input: Ints
    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints

    @property
    def dims(self) -> int:
        """1, 2 or 3."""
        return len(self.input)

    @property
    def geometry(self) -> ConvGeometry:
        """Both grids. Raises `HandgradError` where the numbers cannot be."""
        return conv_geometry("bench", self.input, self.kernel, self.stride, self.padding, self.dilation, self.groups)

    @property
    def x(self) -> Ints:
        """(N, C, *I)."""
        return (self.N, self.C, *self.input)

    @property
    def w(self) -> Ints:
        """(O, C/G, *K)."""
        return (self.O, self.C // self.groups, *self.kernel)

    @property
    def y(self) -> Ints:
        """(N, O, *L)."""
        return (self.N, self.O, *self.geometry.output)

    @property
    def flop(self) -> int:
        """Of each of the three operations: 2 · N·O·L · C/G·K, products with padding included, as is the custom."""
        return 2 * prod(self.y) * prod(self.w[1:])


def load(name: str) -> list[Shape]:
    """The shapes of a suite that comes with the package, or of a file that ends in .csv.

    Raises:
        HandgradError: for an unknown suite, and for a file that is none, with the number of the line.
        OSError: for a file that cannot be read.
    """
    if name in SUITES:
        return read(FOLDER / f"{name}.csv")
    if not name.endswith(".csv"):
        raise error("bench", f"unknown suite {name!r}", known=", ".join((*SUITES, "FILE.csv")))
    return read(Path(name))


def read(path: Path) -> list[Shape]:
    """The shapes of a file; its first line names the columns, of which `source` may be missing. Raises as `load`."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_header(path, reader.fieldnames or ())
            shapes = list(_shapes(path, reader))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise error("bench", f"{path} is no CSV file", reason=problem) from None
    if not shapes:
        raise error("bench", f"{path} has no shapes")
    return shapes


def select(shapes: Sequence[Shape], patterns: Sequence[str]) -> list[Shape]:
    """Those whose name fits one of the patterns, as in `resnet50.*`. Raises `HandgradError` where one fits none."""
    for pattern in patterns:
        if not any(fnmatchcase(shape.name, pattern) for shape in shapes):
            raise error("bench", f"no shape fits {pattern!r}", known=", ".join(shape.name for shape in shapes))
    return [shape for shape in shapes if any(fnmatchcase(shape.name, pattern) for pattern in patterns)]


def _check_header(path: Path, found: Iterable[str]) -> None:
    header = list(found)
    missing = [column for column in COLUMNS if column not in header]
    unknown = [column for column in header if column not in (*COLUMNS, "source")]
    if missing or unknown or len(set(header)) < len(header):
        raise error("bench", f"{path}:1: wrong columns", found=",".join(header), needed=",".join((*COLUMNS, "source")))


def _shapes(path: Path, reader: csv.DictReader[str]) -> Iterator[Shape]:
    names = set[str]()
    for row in reader:
        place = f"{path}:{reader.line_num}"
        shape = _shape(place, row)
        if shape.name in names:
            raise error("bench", f"{place}: the name {shape.name!r} stands twice")
        names.add(shape.name)
        yield shape


def _shape(place: str, row: dict[str, str]) -> Shape:
    if None in row or None in row.values():
        raise error("bench", f"{place}: as many fields are needed as there are columns")
    N, C, O, groups = (_ints(place, name, row[name], 1, 1)[0] for name in _COUNTS)
    (dims,) = _ints(place, "dims", row["dims"], 1, 1)
    if dims > 3:
        raise error("bench", f"{place}: dims must be 1, 2 or 3", dims=dims)
    if C % groups or O % groups:
        raise error("bench", f"{place}: groups must divide C and O", C=C, O=O, groups=groups)
    per_dim = (_ints(place, name, row[name], dims, 0 if name == "padding" else 1) for name in _PER_DIM)
    shape = Shape(row["name"], N, C, O, groups, *per_dim)
    try:
        assert shape.geometry
    except HandgradError as problem:
        raise HandgradError(str(problem).replace("bench:", f"bench: {place}:", 1)) from None
    return shape


def _ints(place: str, name: str, text: str, count: int, least: int) -> Ints:
    """`3x3` → (3, 3), which must be `count` numbers of at least `least`."""
    parts = text.strip().split("x")
    if len(parts) != count or not all(part.isascii() and part.isdigit() and int(part) >= least for part in parts):
        wanted = "a number" if count == 1 else f"{count} numbers with x between them"
        raise error("bench", f"{place}: {name} must be {wanted}, at least {least}", **{name: repr(text)})
    return tuple(map(int, parts))
