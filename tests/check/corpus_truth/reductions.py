"""What a sum over the wrong axes is: the right contributions, added up along others, or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from .differences import Truth
from .play import Array


def wrongly_summed(t: Truth, u: Array) -> bool:
    """U is a sum over other axes of what T is the sum of, spread out again or not; or T is a sum of U."""
    if t.matches(u):
        return False
    if any(total.size == t.at.size and t.matches(total.reshape(t.at.shape)) for _, total in _totals(u)):
        return True
    sums = (pair for terms in _terms(t) for pair in _totals(terms))
    return any(_is(total, u) or _is(np.broadcast_to(total, terms.shape), u) for terms, total in sums)


def _terms(t: Truth) -> Iterator[Array]:
    """T itself; and for each entry of y what it adds to all of T, and to each entry of it."""
    yield t.full
    entries = np.eye(t.at.size).reshape(-1, *t.at.shape)
    # (|w|, *y): each entry of g times the derivative by one entry of w
    each = np.array([t.play.grad_output.reshape(d.shape) * d for d in map(t.derivative, entries)])
    yield each.sum(0)
    yield np.moveaxis(each, 0, -1).reshape(*each.shape[1:], *t.at.shape)


def _totals(terms: Array) -> Iterator[tuple[Array, Array]]:
    """(terms, their sum) over every set of axes; axes of size 1 stay."""
    for size in range(terms.ndim + 1):
        for axes in itertools.combinations(range(terms.ndim), size):
            yield terms, terms.sum(axes, keepdims=True)


def _is(made: Array, u: Array) -> bool:
    return made.size == u.size and np.allclose(made.ravel(), u.ravel(), atol=1e-6)


def softmax_summed(t: Truth, u: Array) -> bool:
    """U is y·(g − Σ g·y) with the sum over other axes than that of softmax."""
    y, g = t.play.output, t.play.grad_output
    made = (y * (g - total) for _, total in _totals(g * y))
    return not t.matches(u) and any(one.shape == u.shape and np.allclose(one, u) for one in made)
