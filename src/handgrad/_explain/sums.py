"""Which products make an entry of a result: the law, read from the side of each result.

    gathered[n,a,p] = Σ weight[a,b,k] · image[n,c,i]        over b, k
    folded  [n,c,i] = Σ weight[a,b,k] · map[n,a,p]          over a and all p, k that meet at i
    weight  [a,b,k] = Σ map[n,a,p] · image[n,c,i]           over n, p

a and b are the weight's first two axes, c = group · B + b the channel on the image side. Indices on the image side
are positions (see `axes`): those of the padding are negative or at least the input's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from .._geometry import Ints
from .numbers import number, signed
from .roles import OPERANDS, SYMBOLS

if TYPE_CHECKING:
    from .trace import Trace


class Factor(NamedTuple):
    """One number of a product: the tensor's name, the index of the entry, and its value."""

    name: str
    place: Ints
    value: float


@dataclass(frozen=True)
class Term:
    """One product of a sum: `column` is the entry of the columns that it passes, `padding` whether it is padding."""

    factors: tuple[Factor, ...]
    column: Ints | None = None
    padding: bool = False

    @property
    def value(self) -> float:
        """The product of the factors."""
        return prod(factor.value for factor in self.factors)


@dataclass(frozen=True)
class Sum:
    """An entry of a tensor, written out. `str()` is one line: `dw[0, 1, 2, 0] = 1·2 + 3·(−4) = −10`."""

    name: str
    symbol: str
    index: Ints
    value: float
    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return self.line(len(self.terms))

    def line(self, room: int) -> str:
        """As `str()`, but with at most `room` terms, and how many are left out."""
        head = f"{self.symbol}[{', '.join(map(str, self.index))}]"
        middle = self._middle(room)
        return f"{head} = {middle} = {number(self.value)}" if middle else f"{head} = {number(self.value)}"

    def _middle(self, room: int) -> str:
        """What stands between: nothing for an operand, the name for a copy."""
        if self.name in OPERANDS:
            return ""
        if not self.terms:
            return "nothing meets it"
        if len(self.terms) == 1 == len(self.terms[0].factors):
            copied = self.terms[0].factors[0]
            return f"{SYMBOLS[copied.name]}[{', '.join(map(str, copied.place))}]"
        shown = self.terms if len(self.terms) <= room else self.terms[: room - 1]
        products = ["·".join(signed(factor.value) for factor in term.factors) for term in shown]
        if rest := self.terms[len(shown) :]:
            products.append(f"… ({len(rest)} more, together {number(sum(term.value for term in rest))})")
        return " + ".join(products)


def sum_of(trace: Trace, name: str, index: Ints) -> Sum:
    """How `trace[name]` comes by its entry at `index`."""
    roles = trace.roles
    ways = {
        roles.gathered: _gathered,
        roles.folded: _folded,
        roles.unfolded: _unfolded,
        roles.product: _product,
        "grad_weight": _weight,
        "grad_bias": _bias,
    }
    terms = list(ways[name](trace, index)) if name in ways else []
    if name == "output" and "bias" in trace.boxes and _inside(trace, name, index):
        terms.append(Term((trace.factor("bias", index[1:2]),)))
    value = trace.factor(name, index).value
    return Sum(name, trace.boxes[name].symbol, index, value, tuple(terms))


def _inside(trace: Trace, name: str, index: Ints) -> bool:
    """Whether the entry is none of the padding around the image side: what is cropped gets no bias."""
    return name != trace.roles.folded or trace.is_inside(index[2:])


def _gathered(trace: Trace, index: Ints) -> Iterator[Term]:
    n, a, *p = index
    for b in range(trace.boxes["weight"].shape[1]):
        for k in product(*map(range, trace.geometry.kernel)):
            at = trace.positions(tuple(p), k)
            c = trace.channel(a, b)
            met = trace.factor("weight", (a, b, *k)), trace.image((n, c, *at))
            yield Term(met, trace.in_columns(n, c, k, tuple(p)), not trace.is_inside(at))


def _folded(trace: Trace, index: Ints) -> Iterator[Term]:
    n, channel, *at = index
    group, b = trace.group(channel)
    inside = trace.is_inside(tuple(at))  # only then what was copied comes back
    meetings = [list(axis.meetings(i, inside)) for axis, i in zip(trace.axes, at, strict=True)]
    for a in group:
        for met in product(*meetings):
            p, k = tuple(m.p for m in met), tuple(m.k for m in met)
            outside = not trace.is_inside(tuple(m.position for m in met))
            factors = trace.factor("weight", (a, b, *k)), trace.factor(trace.roles.map, (n, a, *p))
            yield Term(factors, trace.in_columns(n, channel, k, p), outside)


def _weight(trace: Trace, index: Ints) -> Iterator[Term]:
    a, b, *k = index
    for n in range(trace.boxes["input"].shape[0]):
        for p in product(*map(range, trace.geometry.output)):
            at = trace.positions(p, tuple(k))
            c = trace.channel(a, b)
            met = trace.factor(trace.roles.map, (n, a, *p)), trace.image((n, c, *at))
            yield Term(met, trace.in_columns(n, c, tuple(k), p), not trace.is_inside(at))


def _bias(trace: Trace, index: Ints) -> Iterator[Term]:
    shape = trace.boxes["grad_output"].shape
    for n in range(shape[0]):
        for l in product(*map(range, shape[2:])):
            yield Term((trace.factor("grad_output", (n, *index, *l)),))


def _unfolded(trace: Trace, index: Ints) -> Iterator[Term]:
    n, channel, k, p = trace.column(index)
    at = trace.positions(p, k)
    yield Term((trace.image((n, channel, *at)),), index, not trace.is_inside(at))


def _product(trace: Trace, index: Ints) -> Iterator[Term]:
    n, channel, k, p = trace.column(index)
    group, b = trace.group(channel)
    outside = not trace.is_inside(trace.positions(p, k))
    for a in group:
        yield Term((trace.factor("weight", (a, b, *k)), trace.factor(trace.roles.map, (n, a, *p))), index, outside)
