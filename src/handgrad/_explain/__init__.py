"""Explain a convolution: one trace of its numbers, and renderers that only read it.

`operands` settles what is convolved, `trace` holds every number with the letters of its axes, `sums` says which
products make an entry. What shows them (page, text, svg, plot, data) asks `view` what there is room for.
"""

from .trace import Trace
from .tracing import explain

__all__ = ["Trace", "explain"]
