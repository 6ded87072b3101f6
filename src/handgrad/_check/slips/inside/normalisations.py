"""Normalised tensors in the middle of a forward pass: h = (x − μ)/σ or x/σ over some axes, known by their values.

    dx = (g − mean(g))/σ − κ·h·Σ g·h

κ is 1/(count·σ) for batch and layer norm, and whatever an unbiased σ, an ε beside it or a plain length make of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, pairwise
from math import prod

import torch
from torch import Tensor

from .. import NO_WORD, Linear, Path, Slip
from ..axes import axes_key, axes_sets
from . import scales
from .places import Back, Place, close, local, place_of, probe, same_shape, value
from .recording import Record, Step

_EPSILON = 1e-3
_MEAN = Slip(
    "missing-mean-term", None, "the mean is taken for a constant: −mean(grad)/σ is missing", "subtract the mean"
)
_VARIANCE = Slip(
    "missing-variance-term",
    None,
    "the variance is taken for a constant: the term along the normalised values is missing",
    "subtract x̂ times the mean of grad · x̂",
)


@dataclass(frozen=True)
class Normalised:
    """One normalisation: what it made, over which axes, and the constants of its way back."""

    h: Tensor
    axes: tuple[int, ...]
    sigma: Tensor
    kappa: Tensor
    centred: bool
    scale: Tensor | float = 1.0  # a γ that x is multiplied by before it is divided: h is what it would be without

    @property
    def count(self) -> int:
        """How many entries share a mean."""
        return prod(self.h.shape[axis] for axis in self.axes)

    def back(self, g: Tensor, over: Linear | None = None, mean: float = 1.0, variance: float = 1.0) -> Tensor:
        """The way back, with its two terms scaled, or with means over other axes."""
        g, average = g * self.scale, over or partial(_mean, self.axes)
        dx = g - (mean * average(g) if self.centred else 0.0)
        return dx / self.sigma - variance * self.kappa * self.count * self.h * average(g * self.h)


def _mean(axes: tuple[int, ...], t: Tensor) -> Tensor:
    return t.mean(axes, keepdim=True)


def _mean_of_parts(shape: tuple[int, ...], axes: tuple[int, ...], t: Tensor) -> Tensor:
    """Means where a tensor's axes are taken apart: (N, G, C/G·H·W) = (N, G, C/G, H, W)."""
    return t.reshape(shape).mean(axes, keepdim=True).expand(shape).reshape(t.shape)


def places(record: Record) -> Iterator[Place]:
    """Each normalised tensor with its slips, and the scale that follows it."""
    done, centred = set[int](), set[int]()
    for step in record.steps.values():
        if done & record.dominators[step.index] & set(step.sources):
            continue  # x̂ of what is normalised already, or x̂ again
        for source in reversed(same_shape(record, step)):
            factors: list[Tensor | float] = [*scales.between(record, source, step), 1.0]
            tried = (_normalised(source, step, factor) for factor in factors)
            found = next((one for one in tried if one is not None), None)
            if found is not None:
                done.add(step.index)
                yield from (_place(record, source, step, form) for form in _forms(found))
                break
            if (axes := _centred(source, step)) is not None:
                centred.add(step.index)
                yield Place(
                    step.index,
                    source.index,
                    partial(_minus_mean, axes),
                    _CENTRED,
                    (("centred", step.site),),
                    place_of(step),
                )
                break
    yield from scales.places(record, done | centred)


def _centred(source: Step, step: Step) -> tuple[int, ...] | None:
    """Over which axes the mean is taken off, where nothing else is done."""
    z, h = value(source), value(step)
    sets = (axes for axes in axes_sets(h.dim()) if axes and prod(h.shape[axis] for axis in axes) > 1)
    return next((axes for axes in sets if close(_minus_mean(axes, z), h)), None)


def _minus_mean(axes: tuple[int, ...], z: Tensor) -> Tensor:
    return z - z.mean(axes, keepdim=True)


_CENTRED: dict[Path, Back] = {(_MEAN,): lambda g: g}


def _forms(this: Normalised) -> Iterator[Normalised]:
    """As it is; and as it is written where an ε beside σ makes a difference that nobody writes down."""
    yield this
    plain = 1 / (this.count * this.sigma)
    if not close(plain, this.kappa) and bool(((plain - this.kappa).abs() < _EPSILON * plain).all()):
        yield replace(this, kappa=plain)


def _normalised(source: Step, step: Step, scale: Tensor | float) -> Normalised | None:
    z, h = value(source), value(step) / scale
    for axes in axes_sets(h.dim()):
        if axes and prod(h.shape[axis] for axis in axes) > 1:
            centre = z.mean(axes, keepdim=True)
            for centred in (True, False):
                c = z - centre if centred else z
                sigma = (c**2).mean(axes, keepdim=True).sqrt() / (h**2).mean(axes, keepdim=True).sqrt()
                if close(h * sigma, c) and (found := _confirmed(source, step, axes, sigma, centred, scale)):
                    return found
    return None


def _confirmed(
    source: Step, step: Step, axes: tuple[int, ...], sigma: Tensor, centred: bool, scale: Tensor | float
) -> Normalised | None:
    """With κ read off the true way back, if that has the form above and σ is no constant."""
    h, v = value(step) / scale, probe(step)
    true = local(step, source, v / scale)
    rest = (v - (v.mean(axes, keepdim=True) if centred else 0.0)) / sigma - true
    kappa = (rest * h).sum(axes, keepdim=True) / ((h**2).sum(axes, keepdim=True) * (v * h).sum(axes, keepdim=True))
    found = Normalised(h, axes, sigma, kappa, centred, scale)
    v = probe(step, 6)
    fits = not kappa.isnan().any() and close(found.back(v), local(step, source, v))
    return found if fits and bool((kappa * sigma * found.count).abs().min() > 1e-3) else None


def _place(record: Record, source: Step, step: Step, this: Normalised) -> Place:
    slips: dict[Path, Back] = {(_VARIANCE,): partial(this.back, variance=0.0)}
    if this.centred:
        slips[(_MEAN,)] = partial(this.back, mean=0.0)
        slips[(_MEAN, _VARIANCE)] = partial(this.back, mean=0.0, variance=0.0)
    slips |= _over_others(this, record.leaf.shape)
    if isinstance(this.scale, Tensor):
        slips[(scales.MISSING,)] = replace(this, scale=1.0).back
    slips |= _counted(this)
    form = "σ" if close(this.kappa * this.count * this.sigma, torch.ones_like(this.sigma)) else "κ"
    return Place(step.index, source.index, this.back, slips, (("norm", form, step.site),), place_of(step))


def _over_others(this: Normalised, input: torch.Size) -> dict[Path, Back]:
    """The means over other axes, of the tensor itself or of what the input was before axes were made one."""
    found: dict[Path, Back] = {}
    shape = tuple(this.h.shape)
    finer = _common_parts(shape, tuple(input))
    for parts in (shape,) if finer == shape else (shape, finer):
        for axes in axes_sets(len(parts)):
            count = prod(parts[axis] for axis in axes)
            if count > 1 and (parts != shape or axes != this.axes):
                message = f"the means run over the axes {axes} of {parts}: they belong over {this.axes} of {shape}"
                key = axes_key(axes, len(parts))
                slip = Slip("wrong-reduction-axes", key if parts == shape else ("parts", key), message)
                over = partial(_mean, axes) if parts == shape else partial(_mean_of_parts, parts, axes)
                found[(slip,)] = partial(this.back, over=over)
    return found


def _common_parts(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes that both shapes are made of: (N, G, C/G, H, W) of (N, G, C/G·H·W) and (N, C, H, W)."""
    if prod(one) != prod(other) or 0 in one:
        return one
    ends = sorted({prod(shape[:count]) for shape in (one, other) for count in range(len(shape) + 1)})
    whole = all(end % begin == 0 for begin, end in pairwise(ends))
    return tuple(end // begin for begin, end in pairwise(ends)) if whole else one


def _counted(this: Normalised) -> dict[Path, Back]:
    """The sums over the right axes, divided by the number of entries of others."""
    found: dict[Path, Back] = {}
    dims = range(this.h.dim())
    for axes in (chosen for size in range(1, this.h.dim() + 1) for chosen in combinations(dims, size)):
        count = prod(this.h.shape[axis] for axis in axes)
        if count != this.count:
            message = (
                f"the means divide by {count}, the entries along the axes {axes}: {this.count} entries share a mean"
            )
            slip = Slip(NO_WORD, ("count", axes), message, f"divide by {this.count}")
            factor = this.count / count
            found[(slip,)] = partial(this.back, mean=factor, variance=factor)
    return found
