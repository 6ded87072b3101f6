"""What each cause means, as an equation that the wrong gradient U has to satisfy; T is the truth.

Causes whose equation depends on the operation are proven where `--like` or the topic tells the operation; the others
are proven wrong (and everything beside them right) and no more.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from .differences import Truth
from .law import Convolution
from .play import Array
from .reductions import softmax_summed, wrongly_summed
from .table import Entry

Proof = Callable[[Truth, Array], bool]


def _with_one_sample(g: Array) -> Iterator[Array]:
    """g with all but its first or its last sample zeroed; samples lie along the first axis, or the last."""
    for axis, index in itertools.product((0, g.ndim - 1), (0, -1)):
        kept = np.zeros_like(g)
        np.moveaxis(kept, axis, 0)[index] = np.moveaxis(g, axis, 0)[index]
        yield kept


def _reinterpreted(g: Array) -> Iterator[Array]:
    """g with its axes laid down in one order and taken up in another."""
    for laid, taken in itertools.permutations(itertools.permutations(range(g.ndim)), 2):
        yield g.transpose(laid).reshape([g.shape[a] for a in taken]).transpose(np.argsort(taken))


def _crops(u: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """Every part of u that has this shape."""
    if u.ndim == len(shape):
        room = (range(max(a - b + 1, 0)) for a, b in zip(u.shape, shape, strict=True))
        for start in itertools.product(*room):
            yield u[tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))]


def _spatial(w: Array) -> tuple[int, ...]:
    """A kernel's spatial axes: what follows (O, C); all of a bare vector's."""
    return tuple(range(min(2, w.ndim - 1), w.ndim))


def _tail_lost(t: Truth, u: Array) -> bool:
    """U is T without its last rows or columns (which are zero, unless the padding reaches beyond the remainder)."""
    missing = [(0, max(n - m, 0)) for m, n in zip(u.shape, t.at.shape, strict=True)]
    leading = Truth(t.play, t.name, where=np.pad(np.ones(u.shape), missing))
    return u.shape != t.at.shape and leading.matches(np.pad(u, missing))


def _kernel_not_flipped(t: Truth, u: Array) -> bool:
    """U is the gradient of the same forward with the kernel turned round, along all of its axes or some."""
    others = {name: value for name, value in t.play.values.items() if name != t.name}
    turned = (
        {**t.play.values, name: np.flip(value, axes)}
        for name, value in others.items()
        for count in range(1, value.ndim + 1)
        for axes in itertools.combinations(range(value.ndim), count)
    )
    return any(Truth(t.play, t.name, values).matches(u) for values in turned)


def _gamma_missing(t: Truth, u: Array) -> bool:
    """U is the gradient at γ = 1."""
    gamma = list(t.play.values)[1]
    return Truth(t.play, t.name, {**t.play.values, gamma: np.ones_like(t.play.values[gamma])}).matches(u)


def _updated_weight(t: Truth, u: Array) -> bool:
    """U − T = −lr · BW(w = dw) for a layer that is linear in w, with one lr for all directions."""
    weight = next(name for name, value in t.play.values.items() if name != t.name and value.ndim > 1)
    stepped = Truth(t.play, t.name, {**t.play.values, weight: t.play.gradients[weight]})
    surplus = np.array([(u * v).sum() for v, _ in t.directions]) - t.totals
    rates = surplus / stepped.totals
    return bool(np.allclose(rates, rates[0], rtol=1e-4) and rates[0] < -1e-4)


def _residual_is_constant(t: Truth, u: Array) -> bool:
    """U − T does not change along the axis of the statistics (the first or the last)."""
    residual = u - t.full
    return any(np.abs(residual - residual.mean(axis, keepdims=True)).max() < 1e-6 for axis in (0, -1))


def _residual_is_x_hat(t: Truth, u: Array) -> bool:
    """U − T is a multiple of x − μ along the axes of the statistics."""
    statistics = (0, -1, (0, *range(2, t.at.ndim)))
    return any(_is_multiple(u - t.full, t.at - t.at.mean(axes, keepdims=True), axes) for axes in statistics)


def _is_multiple(residual: Array, of: Array, axes: int | tuple[int, ...]) -> bool:
    c = (residual * of).sum(axes, keepdims=True) / (of**2).sum(axes, keepdims=True)
    return bool(np.abs(residual - c * of).max() < 1e-6)


def _weight_decay(t: Truth, u: Array) -> bool:
    """U − T = c · W, with c from the first direction."""
    v = t.directions[0][0]
    c = ((u * v).sum() - t.totals[0]) / (t.at * v).sum()
    return abs(c) > 1e-4 and t.matches(u - c * t.at)


def _divided(t: Truth, u: Array) -> bool:
    """T = n · U with a whole n."""
    c = t.factor(u)
    return c > 1.5 and abs(c - round(c)) < 1e-6 and t.matches(c * u)


def _scaled(t: Truth, u: Array) -> bool:
    return abs(abs(t.factor(u)) - 1) > 1e-3 and t.matches(t.factor(u) * u)


def _twice(t: Truth, u: Array) -> bool:
    """U = T · g where they have one shape; a bias gradient is BW(g²)."""
    g = t.play.grad_output
    return t.matches(u / g) if u.ndim > 1 else t.matches(u, g**2)


def _memory_order(t: Truth, u: Array) -> bool:
    """U is BW of a reinterpreted g, T reinterpreted, or the scatter of reinterpreted columns."""
    if any(t.matches(u, g) for g in _reinterpreted(t.play.grad_output)):
        return True
    if u.size < 500 and np.allclose(np.sort(u, None), np.sort(t.full, None), atol=1e-8):  # the numbers of T, elsewhere
        return True
    return any(t.matches(v) for v in _reinterpreted(u)) or np.allclose(Convolution(t.play).misread_columns(), u)


def _geometry(**changed: str | int) -> Proof:
    """U is the gradient of another geometry; a word stands for that setting's value."""

    def proof(t: Truth, u: Array) -> bool:
        own = {"stride": 1, "padding": 0, "dilation": 1} | t.play.entry.geometry
        other = {key: own[value] if isinstance(value, str) else value for key, value in changed.items()}
        right, conv = Convolution(t.play), Convolution(t.play, **other)
        if t.at.shape == conv.x.shape:
            return t.matches(right.input_gradient()) and np.allclose(conv.input_gradient(), u)
        return t.matches(right.weight_gradient()) and np.allclose(conv.weight_gradient(), u)

    return proof


def _folded(t: Truth, u: Array) -> bool:
    conv = Convolution(t.play)
    return t.matches(conv.scatter(u.reshape(conv.shape)))


def _sigmoid_like(t: Truth, u: Array) -> bool:
    y = t.play.output
    return np.allclose(u, y * (1 - y) * t.play.grad_output)


ALWAYS: dict[str, Proof] = {
    "missing-batch-sum": lambda t, u: t.matches(u.sum(0, keepdims=u.ndim == t.at.ndim)),
    "wrong-rank": lambda t, u: u.shape != t.at.shape and t.matches(u.reshape(t.at.shape)),
    "reversed-axes": lambda t, u: u.ndim > 2 and t.matches(u.T),
    "transposed": lambda t, u: t.matches(u.swapaxes(-1, -2)),
    "channels-swapped": lambda t, u: t.matches(u.swapaxes(0, 1)),
    "kernel-axes-transposed": lambda t, u: t.matches(u.swapaxes(-1, -2)),
    "kernel-flipped": lambda t, u: t.matches(np.flip(u, _spatial(u))) or _kernel_not_flipped(t, u),
    "kernel-not-flipped": _kernel_not_flipped,
    "wrong-sign": lambda t, u: t.matches(-u),
    "scale-factor": _scaled,
    "mean-instead-of-sum": _divided,
    "output-instead-of-grad-output": lambda t, u: t.matches(u, t.play.output),
    "input-instead-of-grad-output": lambda t, u: t.matches(u, t.play.values["x"]),
    "grad-output-ignored": lambda t, u: t.matches(u, np.ones_like(t.play.grad_output)),
    "upstream-applied-twice": _twice,
    "one-sample-only": lambda t, u: any(t.matches(u, g) for g in _with_one_sample(t.play.grad_output)),
    "padding-not-cropped": lambda t, u: any(t.matches(part) for part in _crops(u, t.at.shape)),
    "tail-lost": _tail_lost,
    "wrong-return-order": lambda t, u: any(Truth(t.play, n).matches(u) for n in t.play.values if n != t.name),
    "wrong-reduction-axes": wrongly_summed,
    "missing-mean-term": _residual_is_constant,
    "missing-variance-term": _residual_is_x_hat,
    "gamma-missing": _gamma_missing,
    "regularizer-included": _weight_decay,
    "updated-weight": _updated_weight,
    "reshape-instead-of-permute": _memory_order,
}
CONVOLUTION: dict[str, Proof] = {  # where --like says that it is one
    "stride-ignored": _geometry(stride=1),
    "dilation-ignored": _geometry(dilation=1),
    "padding-ignored": _geometry(padding=0),
    "stride-dilation-swapped": _geometry(stride="dilation", dilation="stride"),
    "averaged-overlap": lambda t, u: t.matches(u * Convolution(t.play).count()),
    "column-form": _folded,
}
TOPICS: dict[tuple[str, str], Proof] = {
    ("relu", "mask-missing"): lambda t, u: np.array_equal(u, t.play.grad_output),
    ("relu", "mask-from-gradient"): lambda t, u: np.array_equal(u, np.maximum(t.play.grad_output, 0)),
    ("softmax", "softmax-diagonal-only"): _sigmoid_like,
    ("softmax", "wrong-reduction-axes"): lambda t, u: wrongly_summed(t, u) or softmax_summed(t, u),
}


def proof_of(entry: Entry) -> Proof | None:
    """The equation for the entry's cause, if it has one and no second slip spoils it."""
    if entry.also:
        return None
    convolution = (entry.like or "").startswith("conv") and "groups" not in entry.geometry
    found = TOPICS.get((entry.topic, entry.expect)) or ALWAYS.get(entry.expect)
    return found or (CONVOLUTION.get(entry.expect) if convolution else None)
