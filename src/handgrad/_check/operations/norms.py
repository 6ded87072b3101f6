"""Batch and layer normalisation: y = γ·x̂ + β with x̂ = (x − μ)/σ over some axes.

    dx = (ĝ − mean(ĝ) − x̂·mean(ĝ·x̂)) / σ, where ĝ = γ·g

The second term comes from μ, the third from σ; each is a slip when it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations

from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards, Path, Slip
from ..slips.axes import axes_key, axes_sets
from ..slips.reductions import summed
from .operation import Known, Operation, Options, Roles, Setting

_MEAN = Slip(
    "missing-mean-term",
    None,
    "the mean is taken for a constant: −mean(ĝ)/σ is missing",
    "subtract the mean of γ·grad_output",
)
_VARIANCE = Slip(
    "missing-variance-term",
    None,
    "the variance is taken for a constant: −x̂·mean(ĝ·x̂)/σ is missing",
    "subtract x̂ times the mean of γ·grad_output·x̂",
)
_GAMMA = Slip(
    "gamma-missing", None, "the scale γ is missing: grad_output must be multiplied by it", "multiply by γ first"
)


@dataclass(frozen=True)
class Normalised:
    """One draw: the axes whose mean is taken, and everything of the forward pass."""

    known: Known
    axes: tuple[int, ...]
    gamma: Tensor  # broadcastable to x

    def statistics(self) -> tuple[Tensor, Tensor]:
        """x̂ and σ."""
        x = self.known.input
        centred = x - x.mean(self.axes, keepdim=True)
        sigma = ((centred**2).mean(self.axes, keepdim=True) + self.known.options.get("eps", 1e-5)).sqrt()
        return centred / sigma, sigma

    def gradient(self, g: Tensor, without: Path = (), over: tuple[int, ...] | None = None) -> Tensor:
        """dx without some of its factors and terms, or with the means over other axes."""
        (x_hat, sigma), axes = self.statistics(), self.axes if over is None else over
        scaled = g if _GAMMA in without else g * self.gamma
        dx = scaled
        if _MEAN not in without:
            dx = dx - scaled.mean(axes, keepdim=True)
        if _VARIANCE not in without:
            dx = dx - x_hat * (scaled * x_hat).mean(axes, keepdim=True)
        return dx / sigma


def _slips(this: Normalised) -> Backwards:
    if this.known.role == "input":
        return _input_slips(this)
    if this.known.role == "weight":
        x_hat, _ = this.statistics()
        right = tuple(
            axis for axis in range(x_hat.dim()) if this.gamma.shape[axis] == 1 or axis < x_hat.dim() - this.gamma.dim()
        )
        return summed(this.known, right, partial(_times, x_hat))
    return iter(())


def _input_slips(this: Normalised) -> Backwards:
    parts = (_MEAN, _VARIANCE, _GAMMA)
    for path in chain.from_iterable(combinations(parts, size) for size in (1, 2)):
        yield path, partial(this.gradient, without=path)
    dims = this.known.g.dim()
    for axes in axes_sets(dims):
        if axes and axes != this.axes:
            slip = Slip(
                "wrong-reduction-axes",
                axes_key(axes, dims),
                f"the means run over the axes {axes}: they belong over {this.axes}",
            )
            yield (slip,), partial(this.gradient, over=axes)


def _times(x_hat: Tensor, g: Tensor) -> Tensor:
    return g * x_hat


def _batch(known: Known) -> Normalised:
    dims = known.input.dim()
    gamma = known.tensors.get("weight")
    shape = (1, -1, *[1] * (dims - 2))
    return Normalised(known, (0, *range(2, dims)), _one(known) if gamma is None else gamma.reshape(shape))


def _layer(known: Known) -> Normalised:
    gamma = known.tensors.get("weight")
    normalised = len(known.options["normalized_shape"])
    dims = known.input.dim()
    shape = (1,) * (dims - normalised) + tuple(known.options["normalized_shape"])
    axes = tuple(range(dims - normalised, dims))
    return Normalised(known, axes, _one(known) if gamma is None else gamma.reshape(shape))


def _one(known: Known) -> Tensor:
    return known.input.new_ones([1] * known.input.dim())


def _batch_norm(roles: Roles, options: Options) -> Tensor:
    return F.batch_norm(roles["input"], None, None, roles.get("weight"), roles.get("bias"), training=True, **options)


def _layer_norm(roles: Roles, options: Options) -> Tensor:
    return F.layer_norm(roles["input"], weight=roles.get("weight"), bias=roles.get("bias"), **options)


def _batch_settings() -> list[Setting]:
    def sizes(*shape: int) -> dict[str, tuple[int, ...]]:
        return {"input": shape, "weight": (shape[1],), "bias": (shape[1],)}

    return [Setting("R1", sizes(6, 3, 4, 5)), Setting("R2", sizes(4, 2, 3, 7)), Setting("rows", sizes(7, 5))]


def _layer_settings() -> list[Setting]:
    def setting(name: str, batch: tuple[int, ...], shape: tuple[int, ...]) -> Setting:
        return Setting(name, {"input": (*batch, *shape), "weight": shape, "bias": shape}, {"normalized_shape": shape})

    # matrices only: code that says `axis=1` for "the last" is right for those
    return [setting("R1", (5,), (7,)), setting("R2", (3,), (6,)), setting("R3", (4,), (9,))]


_EPSILONS = (1e-5, 1e-8, 1e-6, 1e-3, 1e-7, 1e-4, 1e-12, 1e-10, 1e-9, 0.0)


def _batch_guesses(roles: Roles, output: Tensor) -> Iterator[Options]:
    x = roles["input"]
    if x.shape == output.shape and x.dim() >= 2:
        yield from ({"eps": eps} for eps in _EPSILONS)


def _layer_guesses(roles: Roles, output: Tensor) -> Iterator[Options]:
    x = roles["input"]
    if x.shape == output.shape:
        for count in range(1, x.dim()):
            shape = tuple(x.shape[-count:])
            yield from ({"normalized_shape": shape, "eps": eps} for eps in _EPSILONS)


OPERATIONS = (
    Operation(
        "batch_norm",
        ("input", "weight", "bias"),
        _batch_norm,
        _batch_settings,
        _batch_guesses,
        slips=lambda known: _slips(_batch(known)),
    ),
    Operation(
        "layer_norm",
        ("input", "weight", "bias"),
        _layer_norm,
        _layer_settings,
        _layer_guesses,
        slips=lambda known: _slips(_layer(known)),
    ),
)
