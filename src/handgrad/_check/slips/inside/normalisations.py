"""Normalised tensors in the middle of a forward pass: h = (x − μ)/σ or x/σ over some axes, known by their values.

    dx = (g − mean(g))/σ − κ·h·Σ g·h

κ is 1/(count·σ) for batch and layer norm, and whatever an unbiased σ, an ε beside it or a plain length make of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from math import prod

import torch
from torch import Tensor

from .. import NO_WORD, Path, Slip
from ..axes import axes_key, axes_sets
from .places import Back, Place, close, local, probe, same_shape, value
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

    @property
    def count(self) -> int:
        """How many entries share a mean."""
        return prod(self.h.shape[axis] for axis in self.axes)

    def back(self, g: Tensor, over: tuple[int, ...] | None = None, mean: float = 1.0, variance: float = 1.0) -> Tensor:
        """The way back, with its two terms scaled, or with the means over other axes."""
        axes = self.axes if over is None else over
        dx = g - (mean * g.mean(axes, keepdim=True) if self.centred else 0.0)
        return dx / self.sigma - variance * self.kappa * self.count * self.h * (g * self.h).mean(axes, keepdim=True)


def places(record: Record) -> Iterator[Place]:
    """Each normalised tensor with its slips, and the scale that follows it."""
    done: set[int] = set()
    for step in record.steps.values():
        if done & record.dominators[step.index] & set(step.sources):
            continue  # x̂ of what is normalised already, or x̂ again
        for source in reversed(same_shape(record, step)):
            found = _normalised(source, step)
            if found is not None:
                done.add(step.index)
                yield from (_place(source, step, form) for form in _forms(found))
                break
            if (axes := _centred(source, step)) is not None:
                yield Place(
                    step.index,
                    source.index,
                    partial(_minus_mean, axes),
                    _CENTRED,
                    (("centred", step.site),),
                    _where(step),
                )
                break
    yield from _scales(record, done)


def _centred(source: Step, step: Step) -> tuple[int, ...] | None:
    """Over which axes the mean is taken off, where nothing else is done."""
    z, h = value(source), value(step)
    sets = (axes for axes in axes_sets(h.dim()) if axes and prod(h.shape[axis] for axis in axes) > 1)
    return next((axes for axes in sets if close(_minus_mean(axes, z), h)), None)


def _minus_mean(axes: tuple[int, ...], z: Tensor) -> Tensor:
    return z - z.mean(axes, keepdim=True)


_CENTRED: dict[Path, Back] = {(_MEAN,): lambda g: g}


def _where(step: Step) -> str:
    return f"at `{step.name}`, line {step.line}"


def _forms(this: Normalised) -> Iterator[Normalised]:
    """As it is; and as it is written where an ε beside σ makes a difference that nobody writes down."""
    yield this
    plain = 1 / (this.count * this.sigma)
    if not close(plain, this.kappa) and bool(((plain - this.kappa).abs() < _EPSILON * plain).all()):
        yield replace(this, kappa=plain)


def _normalised(source: Step, step: Step) -> Normalised | None:
    z, h = value(source), value(step)
    for axes in axes_sets(h.dim()):
        if axes and prod(h.shape[axis] for axis in axes) > 1:
            centre = z.mean(axes, keepdim=True)
            for centred in (True, False):
                c = z - centre if centred else z
                sigma = (c**2).mean(axes, keepdim=True).sqrt() / (h**2).mean(axes, keepdim=True).sqrt()
                if close(h * sigma, c) and (found := _confirmed(source, step, axes, sigma, centred)):
                    return found
    return None


def _confirmed(source: Step, step: Step, axes: tuple[int, ...], sigma: Tensor, centred: bool) -> Normalised | None:
    """With κ read off the true way back, if that has the form above and σ is no constant."""
    h, v = value(step), probe(step)
    true = local(step, source, v)
    rest = (v - (v.mean(axes, keepdim=True) if centred else 0.0)) / sigma - true
    kappa = (rest * h).sum(axes, keepdim=True) / ((h**2).sum(axes, keepdim=True) * (v * h).sum(axes, keepdim=True))
    found = Normalised(h, axes, sigma, kappa, centred)
    v = probe(step, 6)
    fits = not kappa.isnan().any() and close(found.back(v), local(step, source, v))
    return found if fits and bool((kappa * sigma * found.count).abs().min() > 1e-3) else None


def _place(source: Step, step: Step, this: Normalised) -> Place:
    slips: dict[Path, Back] = {(_VARIANCE,): partial(this.back, variance=0.0)}
    if this.centred:
        slips[(_MEAN,)] = partial(this.back, mean=0.0)
        slips[(_MEAN, _VARIANCE)] = partial(this.back, mean=0.0, variance=0.0)
    for axes in axes_sets(this.h.dim()):
        if axes and axes != this.axes and prod(this.h.shape[axis] for axis in axes) > 1:
            message = f"the means run over the axes {axes}: they belong over {this.axes}"
            slips[(Slip("wrong-reduction-axes", axes_key(axes, this.h.dim()), message),)] = partial(
                this.back, over=axes
            )
    slips |= _counted(this)
    form = "σ" if close(this.kappa * this.count * this.sigma, torch.ones_like(this.sigma)) else "κ"
    return Place(step.index, source.index, this.back, slips, (("norm", form, step.site),), _where(step))


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


def _scales(record: Record, normalised: set[int]) -> Iterator[Place]:
    """γ·x̂ after a normalisation: the factor forgotten on the way back to x̂."""
    for step in record.steps.values():
        behind = normalised & (record.dominators[step.index] | {step.index})
        if step.name not in ("mul", "multiply") or not behind or len(step.sources) != 1 or step.direct:
            continue
        source = record.steps[step.sources[0]]
        gamma = [one for one in step.args if isinstance(one, Tensor) and one is not source.output]
        if len(gamma) == 1 and gamma[0].numel() > 1 and source.tensor.shape == step.tensor.shape:
            factor = gamma[0].detach().as_subclass(Tensor)
            message = "the scale γ is missing: the gradient must be multiplied by it"
            slip = Slip("gamma-missing", None, message, "multiply by γ first")
            slips: dict[Path, Back] = {(slip,): lambda g: g}
            keys = (("gamma", step.site),)
            yield Place(step.index, source.index, partial(torch.mul, factor), slips, keys, _where(step))
