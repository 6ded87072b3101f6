"""In a browser: what every cell of a page marks, and the sum it writes out, are those of the loop over the law."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import product
from typing import Any

import pytest
from browsing import Open
from brute import Entry, Index, meetings, padded_triples
from explain_cases import SMALL, traced

import handgrad as hg
from cases import Case
from handgrad._explain.numbers import number
from handgrad._explain.view import views

# Points at every cell of every section; what is then marked, by figure and place, and what is written.
EVERY_CELL = """() => {
  const placed = new Map();
  for (const figure of document.querySelectorAll("section figure[data-tensor]"))
    for (const [at, td] of [...figure.querySelectorAll("td:not(.gap)")].entries())
      placed.set(td, [figure.closest("section").id, figure.dataset.tensor, at]);
  return [...placed].map(([td, [section, tensor, at]]) => {
    td.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    const root = td.closest("section");
    const marked = [...root.querySelectorAll("td[class*='m-']")].map((cell) => placed.get(cell).slice(1));
    const terms = [...root.querySelectorAll(".terms li:not(.plus)")];
    return { section, tensor, at, marked, head: root.querySelector(".sum b").textContent,
      terms: terms.map((item) => [item.title, item.textContent]), now: td.classList.contains("now") };
  });
}"""


def random_case(seed: int) -> Case:
    """A geometry that fits, of one or two dimensions, with everything that may differ differing."""
    draw = random.Random(seed)
    dims, groups = draw.choice([1, 2]), draw.choice([1, 1, 2])
    per_dim = lambda low, high: tuple(draw.randint(low, high) for _ in range(dims))  # noqa: E731
    kernel, stride, dilation = per_dim(1, 3), per_dim(1, 3), per_dim(1, 2)
    pads = tuple((draw.randint(0, 2), draw.randint(0, 2)) for _ in range(dims))
    size = per_dim(3, 5)
    if draw.random() < 0.4:
        pads = tuple((min(low, 1), 0) for low, _ in pads)
        options = {"stride": stride, "dilation": dilation, "padding": pads, "groups": groups}
        options |= {
            "output_padding": tuple(draw.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
        }
        return Case("drawn", (draw.randint(1, 2), 2, *per_dim(2, 3)), (2, draw.randint(1, 2), *kernel), options, True)
    size = tuple(max(n, d * (k - 1) + 1) for n, d, k in zip(size, dilation, kernel, strict=True))
    mode = draw.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    options = {"stride": stride, "dilation": dilation, "padding": pads, "groups": groups, "padding_mode": mode}
    return Case("drawn", (draw.randint(1, 2), 2, *size), (2, 2 // groups, *kernel), options)


class Truth:
    """What the brute force says that a cell marks, in the section it stands in."""

    def __init__(self, case: Case, trace: hg.Trace) -> None:
        self.trace, self.roles, self.pairs = trace, trace.roles, meetings(case)
        self.by: dict[tuple[str, Index], list[dict[str, Index]]] = defaultdict(list)
        for at_map, weight, image in padded_triples(case):
            met = {"map": at_map, "weight": weight, "image": image}
            for part, index in met.items():
                self.by[part, index].append(met)
            copied = self.source(self.roles.image, image)
            if copied not in (None, (self.roles.image, image)):
                self.by["image", copied[1]].append(met)

    def marks(self, section: str, name: str, index: Index) -> set[Entry]:
        """All else that meets where this entry meets; a result on the image side is never in copied padding."""
        if section == "grad_bias":
            shape = self.trace["grad_output"].shape
            every = product(range(shape[0]), index, *map(range, shape[2:]))
            return {("grad_output", at) for at in every} if name == section else {("grad_bias", index[1:2])}
        if name == "bias":
            return {("output", at) for at in product(*self.trace.boxes["output"].ranges) if at[1] == index[0]}
        cast = self.cast(section)
        part = next(part for part, tensor in cast.items() if tensor == name)
        found = {(cast[each], self.landed(cast[each], at)) for met in self.by[part, index] for each, at in met.items()}
        if name == "output" == section and all(
            0 <= i < n for i, n in zip(index[2:], self.trace["output"].shape[2:], strict=True)
        ):
            found.add(("bias", index[1:2]))
        return found - {(name, index)}

    def cast(self, section: str) -> dict[str, str]:
        """Which tensor plays which part there: the result stands for what it is the gradient of, or for the output."""
        sides = {"map": self.roles.map, "weight": "weight", "image": self.roles.image}
        if section == "grad_weight":
            return {**sides, "weight": section}
        side = "map" if self.roles.gathered == section else "image"
        return {**sides, side: section}

    def landed(self, name: str, index: Index) -> Index:
        source = self.source(name, index)
        return source[1] if name == self.roles.folded and source else index

    def source(self, name: str, index: Index) -> Entry | None:
        """An entry by what stands there: copies by their source, zeros of padding not at all."""
        if name not in (self.roles.image, self.roles.folded):
            return name, index
        sources = [axis.source(i) for axis, i in zip(self.trace.axes, index[2:], strict=True)]
        return None if None in sources else (name, (*index[:2], *sources))


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [*(pytest.param(random_case(seed), id=f"drawn-{seed}") for seed in range(8)), *SMALL[8:-12:14]],
)
def test_every_cell_marks_and_sums_what_the_law_says(case: Case, opened: Open) -> None:
    trace = traced(case)
    truth, shown = Truth(case, trace), views(trace)
    if any(view.left_out for name, view in shown.items() if "columns" not in name):
        pytest.fail("this case is too large to be shown whole")
    places = {name: list(product(*view.shown)) for name, view in shown.items()}
    told = opened(trace).evaluate(EVERY_CELL)
    assert len(told) > 4 * len(trace["output"].flatten())
    for cell in told:
        name, index = cell["tensor"], places[cell["tensor"]][cell["at"]]
        marked = {(other, places[other][at]) for other, at in cell["marked"]}
        assert cell["now"]
        assert (
            cell["head"]
            == f"{trace.boxes[name].symbol}[{', '.join(map(str, index))}] = {number(trace.boxes[name].at(index))}"
        )
        check_terms(truth, cell, name, index)
        if "columns" in name:
            check_column(truth, name, index, marked, places)
        else:
            plain = {entry for entry in marked if "columns" not in entry[0]}
            assert plain == truth.marks(cell["section"], name, index), (cell["section"], name, index)


def check_terms(truth: Truth, cell: Any, name: str, index: Index) -> None:
    """The terms are those of the law, and their values make the entry."""
    trace = truth.trace
    if name != cell["section"] and name != trace.roles.product:
        assert cell["terms"] == []
        return
    written = trace.sum(name, index)
    assert [title for title, _ in cell["terms"] if title] == [said(trace, term) for term in written.terms[:24]]
    if len(written.terms) > 24:
        rest = sum(term.value for term in written.terms[24:])
        assert cell["terms"][-1][1] == f"{len(written.terms) - 24} more, together {number(rest)}"
    pairs: Counter[tuple[Entry, ...]] = Counter()
    for term in written.terms:
        entries = tuple(truth.source(factor.name, factor.place) for factor in sorted(term.factors))
        pairs[entries] += len(entries) == 2 and None not in entries
    if name in ("output", "grad_weight", "grad_input") and truth.source(name, index) == (name, index):
        assert +pairs == truth.pairs[name, index]


def said(trace: hg.Trace, term: Any) -> str:
    return " · ".join(f"{trace.boxes[name].symbol}[{', '.join(map(str, place))}]" for name, place, _ in term.factors)


def check_column(truth: Truth, name: str, index: Index, marked: set[Entry], places: Any) -> None:
    """A copy marks its pixel and that pixel's other copies; a product what it is made of and where it falls."""
    trace, roles = truth.trace, truth.roles
    n, channel, k, p = trace.column(index)
    image = (n, channel, *trace.positions(p, k))
    cast = roles.image if name == roles.unfolded else roles.folded
    source = truth.source(cast, image)
    if name == roles.unfolded:
        assert (cast, image) in marked
        copies = set() if source is None else copies_of(truth, source[1])
        assert {at for other, at in marked if other == name} == (copies - {index}) & set(places[name])
    else:
        landed = image if source is None else source[1]
        assert {at for other, at in marked if other == cast} == {landed}


def copies_of(truth: Truth, source: Index) -> set[Index]:
    """All entries of the columns that hold one entry of the image."""
    trace, found = truth.trace, set()
    for p in product(*map(range, trace.geometry.output)):
        for k in product(*map(range, trace.geometry.kernel)):
            at = truth.source(trace.roles.image, (*source[:2], *trace.positions(p, k)))
            if at == (trace.roles.image, source):
                found.add(trace.in_columns(source[0], source[1], k, p))
    return found
