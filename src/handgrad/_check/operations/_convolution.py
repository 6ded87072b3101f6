"""One gradient of one convolution, so that its slips can ask for it by another geometry, kernel or image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ._axis_slips import Axes
from ._law import column_gradient, columns, conv, conv_input, conv_weight
from .operation import Known


@dataclass(frozen=True)
class Convolution:
    """One gradient of one convolution: what is contracted, by which geometry.

    Of a transposed convolution, x is grad_output and dy its input.
    """

    known: Known
    axes: Axes
    groups: int
    transposed: bool

    @property
    def w(self) -> Tensor:
        """(O, C/G, *K); of a transposed convolution (C, O/G, *K), which is the same to the law."""
        return self.known.tensors["weight"]

    @property
    def scatters(self) -> bool:
        """Whether this gradient adds up in overlapping windows."""
        return self.known.role == "input" and not self.transposed

    def gradient(self, g: Tensor, axes: Axes | None = None, w: Tensor | None = None, x: Tensor | None = None) -> Tensor:
        """The gradient, by another geometry, kernel or input where one is given."""
        axes = axes or self.axes
        w, x = self.w if w is None else w, self.known.input if x is None else x
        if self.known.role == "weight":
            known, dy = (g, x) if self.transposed else (x, g)
            return conv_weight(columns(known, axes), dy, len(axes), self.groups)
        if self.transposed:
            return conv(g, w, axes, self.groups)
        return conv_input(w, g, axes, self.groups)

    def column_gradient(self, g: Tensor) -> Tensor:
        """wᵀ·dy: (N, C·K, L)."""
        cols = column_gradient(self.w, g, self.groups)
        return cols.reshape(g.shape[0], -1, g.shape[2:].numel())
