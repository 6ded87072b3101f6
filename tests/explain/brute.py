"""Which entries meet in every entry of every result, by the loop over the law that shares nothing with `_explain`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from cases import Case
from handgrad.testing._loop import _axes, _law, _meetings

Index = tuple[int, ...]
Entry = tuple[str, Index]


def meetings(case: Case) -> dict[Entry, Counter[tuple[Entry, Entry]]]:
    """For (result, index) how often each pair of entries, sorted by name, is multiplied for it; no zero padding."""
    found: dict[Entry, Counter[tuple[Entry, Entry]]] = defaultdict(Counter)
    for y, w, x in _triples(case):
        found["output", y][("input", x), ("weight", w)] += 1
        found["grad_weight", w][("grad_output", y), ("input", x)] += 1
        found["grad_input", x][("grad_output", y), ("weight", w)] += 1
    return found


def padded_triples(case: Case) -> Iterator[tuple[Index, Index, Index]]:
    """(windows' side, weight, image side) of every product, also of those with padding, whose positions are outside."""
    options = {**case.options, "padding": 0}
    options.pop("padding_mode", None)
    w = Sized(case.w)
    x = case.x if len(case.x) == len(case.w) else (1, *case.x)
    pads = [pair for *_, pair in _axes(Sized(x), w, 1, case.options.get("dilation", 1), case.options.get("padding", 0))]
    if not case.transposed:
        x = (*x[:2], *(low + n + high for n, (low, high) in zip(x[2:], pads, strict=True)))
    for y, weight, x_at in _triples(case._replace(x=x, options=options)):
        at_map, image = (x_at, y) if case.transposed else (y, x_at)
        yield at_map, weight, (*image[:2], *(i - low for i, (low, _) in zip(image[2:], pads, strict=True)))


def _triples(case: Case) -> Iterator[tuple[Index, Index, Index]]:
    """(y, w, x) of every product; a batch of one where the case has none."""
    options = dict(case.options)
    x, w = Sized(case.x if len(case.x) == len(case.w) else (1, *case.x)), Sized(case.w)
    mode, groups = options.get("padding_mode", "zeros"), options.get("groups", 1)
    settings = (options.get("stride", 1), options.get("dilation", 1), options.get("padding", 0))
    axes = []
    extras = options.get("output_padding", 0)
    extras = list(extras) if isinstance(extras, (list, tuple)) else [extras] * case.dims
    for (size, k, s, d, (low, high)), extra in zip(_axes(x, w, *settings), extras, strict=True):
        if case.transposed:
            image = (size - 1) * s + d * (k - 1) + 1 - low - high + extra
            axes.append(list(_meetings(size, k, image, s, d, low, "zeros")))
        else:
            windows = len(range(0, low + size + high - d * (k - 1), s))
            axes.append(list(_meetings(windows, k, size, s, d, low, mode)))
    for at_map, at_weight, at_image in _law(x.shape[:1], w.shape, groups, axes):
        yield (at_image, at_weight, at_map) if case.transposed else (at_map, at_weight, at_image)


class Sized:
    """As much of a tensor as the loop looks at."""

    def __init__(self, shape: Index) -> None:
        self.shape = shape

    def dim(self) -> int:
        return len(self.shape)
