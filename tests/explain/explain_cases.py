"""The cases of the whole suite as traces."""

from __future__ import annotations

from itertools import product

import handgrad as hg
from cases import CASES, Case
from handgrad._explain.box import Box

# Without a batch of 37.
SMALL = [parameter for parameter in CASES if parameter.values[0].x[0] < 10]


def entries(box: Box, padding: bool = False, most: int = 50) -> list[tuple[int, ...]]:
    """Indices of a tensor, all of them or evenly many."""
    found = list(product(*(box.ranges if padding else map(range, box.shape))))
    return found[:: len(found) // most + 1]


def traced(case: Case) -> hg.Trace:
    """The case, with small integers."""
    outputs = case.w[1] * case.options.get("groups", 1) if case.transposed else case.w[0]
    return hg.explain(case.x, case.w, (outputs,), **case.options, transposed=case.transposed)
