"""A place in a forward pass at which a slip can be: a step, what it is a function of, and its ways back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import Linear, Path
from .recording import Record, Step

Back = Linear  # the gradient of the output → that of the source


@dataclass(frozen=True, eq=False)
class Place:
    """Everything between a source and the output of the step `index`, taken for one function."""

    index: int
    source: int
    right: Back
    slips: Mapping[Path, Back]
    keys: tuple[Hashable, ...]  # places with a key in common may have the slip together
    where: str
    alone: bool = False  # whether the step has other sources, whose ways back stay as they are


def same_shape(record: Record, step: Step) -> list[Step]:
    """The tensors of a step's shape that all of it passes through, the latest first."""
    if not isinstance(step.output, Tensor) or not step.tensor.is_floating_point() or step.name.endswith("_"):
        return []
    before = (record.steps[index] for index in sorted(record.dominators[step.index], reverse=True))
    return [one for one in before if isinstance(one.output, Tensor) and one.tensor.shape == step.tensor.shape]


def local(step: Step, source: Step, g: Tensor) -> Tensor:
    """The true way back from a step to a source, by autograd; 0 where the code has since changed what it needs."""
    total = (step.tensor * g).sum()
    try:
        (back,) = torch.autograd.grad(total, source.tensor, retain_graph=True, allow_unused=True)
    except RuntimeError:
        back = None
    return (torch.zeros_like(source.tensor) if back is None else back).detach().as_subclass(Tensor)


def place_of(step: Step) -> str:
    """A step in words."""
    return f"at `{step.name}`, line {step.line}"


def value(step: Step) -> Tensor:
    """A step's output without its graph."""
    return step.tensor.detach().as_subclass(Tensor)


def probe(step: Step, seed: int = 5) -> Tensor:
    """A gradient that is nothing special."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(step.tensor.shape, generator=generator, dtype=torch.float64)


def close(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors of one shape agree to rounding."""
    return bool((first - second).abs().max() <= 1e-9 * (1e-3 + first.abs().max())) if first.numel() else True
