"""Is every gradient right? Each layer alone against PyTorch's autograd, in float64, before any training."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from handgrad import layers, losses
from handgrad._errors import HandgradError

TOLERANCE = 1e-9  # relative, float64: rounding stays below 1e-12, a wrong formula is at 1e-3 or more
IMAGES = 8


class WrongGradientError(HandgradError):
    """A gradient that is not autograd's."""

    exit_code = 1


@dataclass(frozen=True)
class Comparison:
    """One gradient: of what (`weight`, `input`, …), in which layer, its largest error.

    It is relative to the largest entry of this gradient or of the output's, whichever is more: where terms as large as
    the latter cancel to nothing, as in a GroupNorm over single values, all that autograd gives is their rounding.
    """

    layer: str
    of: str
    error: float


def verify(model: layers.Sequential, images: Tensor, labels: Tensor) -> list[Comparison]:
    """Compare every gradient of a batch, the worst first. Model, generators and `.grad` stay as they were.

    Each layer gets the input it would get in training, mode and dropout mask included, and a random gradient of its
    output; so a wrong layer spoils no other one's comparison. `images` (N, C, H, W) are as the network sees them.

    Raises WrongGradientError, naming layer and parameter, where the relative error exceeds 1e-9.
    """
    model, x = copy.deepcopy(model).double().train(), images.double()
    compared = []
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        for index, layer in enumerate(model):
            assert isinstance(layer, layers.Layer)
            try:
                found, x = _layer(layer, x)
            except (ValueError, TypeError, RuntimeError, ArithmeticError) as problem:  # of an argument nobody checked
                text = str(problem).splitlines()[0]
                raise HandgradError(f"layer {index} ({type(layer).__name__}) cannot be verified: {text}") from problem
            compared += [Comparison(f"layer {index} ({type(layer).__name__})", of, error) for of, error in found]
        compared.append(Comparison("loss", "input", _loss(x, labels)))
    worst = max(compared, key=lambda comparison: comparison.error)
    if worst.error > TOLERANCE:
        raise WrongGradientError(
            f"{worst.layer}: the gradient of {worst.of} is wrong: it differs from autograd's "
            f"by {worst.error:.2g} of the largest entry (float64, {len(images)} images)"
        )
    return sorted(compared, key=lambda comparison: -comparison.error)


def _layer(layer: layers.Layer, x: Tensor) -> tuple[list[tuple[str, float]], Tensor]:
    """(name, error) for the input and each parameter, and the output."""
    twin = layers.to_torch(layer)
    layer.zero_grad()
    seed = torch.random.initial_seed()
    torch.manual_seed(seed)  # the same dropout mask for both
    y, backward = layer(x)
    grad_y = torch.randn_like(y)
    with torch.enable_grad():
        torch.manual_seed(seed)
        wanted = {"input": x.detach().requires_grad_(), **dict(twin.named_parameters())}
        right = torch.autograd.grad(twin(wanted["input"]), list(wanted.values()), grad_y)
    got = {"input": backward(grad_y), **{name: parameter.grad for name, parameter in layer.named_parameters()}}
    found = zip(wanted, right, strict=True)
    return [(name, _error(got[name], reference, float(grad_y.abs().max()))) for name, reference in found], y


def _loss(logits: Tensor, labels: Tensor) -> float:
    _, backward = losses.cross_entropy(logits, labels)
    with torch.enable_grad():
        leaf = logits.detach().requires_grad_()
        (right,) = torch.autograd.grad(F.cross_entropy(leaf, labels), leaf)
    return _error(backward(), right, 1 / len(labels))  # the mean's share of an image: p - 1 cancels in it


def _error(got: Tensor | None, right: Tensor, cancelled: float) -> float:
    """`cancelled` is the size of the terms that may cancel."""
    if got is None or got.shape != right.shape or not got.isfinite().all():
        return float("inf")
    return float((got - right).abs().max() / right.abs().max().clamp_min(cancelled))
