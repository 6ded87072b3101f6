"""What to mark for a sum: each entry that meets in it, by its part."""

from __future__ import annotations

from .._geometry import Ints
from .sections import Section
from .sums import Sum
from .trace import Trace


def marks(trace: Trace, part: Section, written: Sum) -> dict[tuple[str, Ints], str]:
    """(tensor, place) to image, weight, map or column, and `now` for the entry itself."""
    parts = {trace.roles.image: "image", trace.roles.map: "map", "weight": "weight", "bias": "weight"}
    columns = next((step.name for step in part.steps if step.name.endswith("columns")), "")
    found: dict[tuple[str, Ints], str] = {}
    for term in written.terms:
        for factor in term.factors:
            found[factor.name, factor.place] = parts[factor.name]
        if term.column:
            found[columns, term.column] = "column"
    return found | {(written.name, written.index): "now"}
