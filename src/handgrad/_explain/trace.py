"""Every number of one convolution, forward and backward, as one frozen object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .._errors import error
from .._geometry import ConvGeometry, Ints
from .axes import Axis
from .box import Box
from .compare import Compared, compared
from .numbers import ravel, shape_text, unravel
from .roles import CONV, TRANSPOSED, Roles
from .sums import Factor, Sum, sum_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".html", ".json", ".svg", ".txt")


def check_path(path: Path) -> None:
    """Raise HandgradError where a trace could not be saved: before it is computed, if one likes."""
    if path.suffix.lower() not in FORMATS:
        raise error("explain", f"cannot save as {path.suffix or 'a file without an ending'}", known=", ".join(FORMATS))
    if not path.parent.is_dir():
        raise error("explain", f"there is no folder {path.parent} to save in")


@dataclass(frozen=True, eq=False)
class Trace:
    """What `hg.explain` returns: every number of a convolution and its gradients, in float64, and how it is made.

    `trace["grad_weight"]` is a tensor: of input, weight, bias (if there is one), columns, output, grad_output,
    grad_columns, grad_input, grad_weight, grad_bias. `trace.sum("grad_weight", (0, 1, 2, 0))` is one entry written
    out. `trace.errors` says how far each result is from PyTorch's. In a notebook it shows itself as the page.
    """

    geometry: ConvGeometry
    axes: tuple[Axis, ...]
    transposed: bool
    padding_mode: str
    output_padding: Ints
    boxes: Mapping[str, Box]
    errors: Mapping[str, float]  # of each result: the largest difference from PyTorch's, relative to the largest entry
    title: str = ""
    compared: Mapping[str, Compared] = field(default_factory=dict)
    made_up: bool = False  # whether grad_output is small integers instead of somebody's

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of that name. Raises HandgradError where there is none."""
        return self._box(name).values

    def sum(self, name: str, index: Sequence[int]) -> Sum:
        """One entry written out: its terms, each with the entries that meet in it, and its value.

        Args:
            name: of a tensor.
            index: of the entry. On the input's side of a convolution, and the output's of a transposed one, it may
                lie in the padding: -1 is the position before the first.

        Raises:
            HandgradError: where there is no such tensor or entry.
        """
        box = self._box(name)
        try:
            box.at(tuple(index))  # before its parts are taken: it may be too short for them
            return sum_of(self, name, tuple(index))
        except IndexError:
            rows = {"index": (tuple(index), ""), name: (box.shape, " ".join(box.letters))}
            raise error("explain", f"{name} has no such entry", **rows) from None

    def compare(
        self,
        *,
        output: Tensor | None = None,
        input: Tensor | None = None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        findings: Sequence[Any] = (),
    ) -> Trace:
        """The same trace with somebody's own results beside the right ones.

        Args:
            output: what their forward pass returned.
            input, weight, bias: what their backward pass returned for these, of any shape.
            findings: what a check found out (`report.findings`). Without any, the likeliest slips are tried.

        Raises:
            HandgradError: where nothing is given to compare.
        """
        claims = {"output": output, "grad_input": input, "grad_weight": weight, "grad_bias": bias}
        given = {name: claim for name, claim in claims.items() if claim is not None}
        if not given:
            raise error("compare", "nothing to compare: give output, input, weight or bias")
        new = {name: compared(self, name, claim, findings) for name, claim in given.items()}
        return replace(self, compared={**self.compared, **new})

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the page (.html), the picture (.svg), the numbers (.json) or the text (.txt), and return the path.

        Raises:
            HandgradError: for any other ending, or where there is no such folder.
        """
        path = Path(path)
        render = {".html": self.to_html, ".json": self.to_json, ".svg": self.to_svg, ".txt": self.__str__}
        check_path(path)
        path.write_text(render[path.suffix.lower()](), encoding="utf-8")
        return path

    def to_html(self) -> str:
        """The page: one file that needs nothing else."""
        from .html import page

        return page(self)

    def to_json(self) -> str:
        """Every number, as one JSON object."""
        from .data import to_json

        return to_json(self)

    def to_svg(self, name: str = "grad_weight", index: Sequence[int] | None = None) -> str:
        """A picture of one entry of a result and all that meets in it (by default the one that the page begins with).

        Raises HandgradError where there is no such entry.
        """
        from .svg import picture

        return picture(self, name, index)

    def plot(self, name: str = "grad_weight", index: Sequence[int] | None = None) -> Figure:
        """The same picture as a matplotlib figure. Raises HandgradError where there is no such entry."""
        from .plot import figure

        return figure(self, name, index)

    def __str__(self) -> str:
        """For a terminal: every tensor, and one entry of each result written out."""
        from .text import text

        return text(self)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {shape_text(self.boxes[name].shape)}" for name in ("input", "weight", "output"))
        return f"<Trace of {self.operation}: {shapes}>"

    def _repr_html_(self) -> str:
        from .html import frame

        return frame(self)

    @property
    def operation(self) -> str:
        """PyTorch's name for it."""
        return f"conv{'_transpose' if self.transposed else ''}{self.geometry.dims}d"

    @property
    def roles(self) -> Roles:
        """Which tensor plays which part."""
        return TRANSPOSED if self.transposed else CONV

    def factor(self, name: str, index: Ints) -> Factor:
        """An entry with its name and place."""
        return Factor(name, index, self.boxes[name].at(index))

    def image(self, index: Ints) -> Factor:
        """What a window reads at (n, c, *position)."""
        return self.factor(self.roles.image, index)

    def positions(self, p: Ints, k: Ints) -> Ints:
        """The law, on every axis."""
        return tuple(axis.position(*pair) for axis, *pair in zip(self.axes, p, k, strict=True))

    def is_inside(self, position: Ints) -> bool:
        """Whether it is none of the padding."""
        return all(0 <= i < axis.input for i, axis in zip(position, self.axes, strict=True))

    def channel(self, a: int, b: int) -> int:
        """The channel on the image side that the weight's entry [a, b] meets."""
        A, B = self.boxes["weight"].shape[:2]
        return a // (A // self.geometry.groups) * B + b

    def group(self, channel: int) -> tuple[range, int]:
        """The reverse: which a of the weight's entries [a, b] meet a channel on the image side, and their b."""
        A, B = self.boxes["weight"].shape[:2]
        per_group = A // self.geometry.groups
        first = channel // B * per_group
        return range(first, first + per_group), channel % B

    def column(self, index: Ints) -> tuple[int, int, Ints, Ints]:
        """n, the channel on the image side, the tap and the window of an entry (n, row, column) of the columns."""
        n, row, column = index
        channel, *k = unravel(row, self.geometry.kernel)
        beyond, *p = unravel(column, self.geometry.output)
        if beyond or row < 0 or column < 0:
            raise IndexError(index)
        return n, channel, tuple(k), tuple(p)

    def in_columns(self, n: int, channel: int, k: Ints, p: Ints) -> Ints:
        """The entry (n, row, column) of the columns where channel and tap meet a window: the reverse of `column`."""
        return n, ravel((channel, *k), self.geometry.kernel), ravel((0, *p), self.geometry.output)

    def _box(self, name: str) -> Box:
        if name not in self.boxes:
            raise error("explain", f"there is no tensor {name!r}", known=", ".join(self.boxes))
        return self.boxes[name]
