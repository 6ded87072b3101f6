"""What the convolutions and the transposed ones share: how the results are finished, and what else may be wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from .._errors import error
from .._operands import check_tensors
from .._tensors import facts, wide
from ..functional._common import batched
from ..functional._sides import Sides, check_max_bytes
from . import _products
from ._use import MAX_BYTES as MAX_BYTES


def weight(op: str, sides: Sides, max_bytes: int) -> Tensor:
    """(N, *weight), in the operands' dtype."""
    check_max_bytes(op, max_bytes)
    if 0 in sides.weight:
        return sides.met.new_zeros(sides.samples, *sides.weight)
    # (N, G, B/G, A/G·K) → (N, B, A/G, *K)
    return _products.gradients(sides, max_bytes).view(-1, *sides.weight).to(sides.met.dtype)


def bias(op: str, grad_output: Tensor, dims: int) -> Tensor:
    """(N, O, *L) or (O, *L) → (N, O): the bias met every output position of its channel once."""
    check_tensors(op, grad_output=grad_output)
    if grad_output.dim() not in (dims + 1, dims + 2):
        raise error(op, "grad_output must be (N, O, *L) or (O, *L)", grad_output=grad_output.shape)
    return batched(grad_output, dims).sum([*range(-dims, 0)])


def squared_norms(op: str, sides: Sides, max_bytes: int) -> Tensor:
    """(N,)."""
    check_max_bytes(op, max_bytes)
    return _products.squared_norms(sides, max_bytes)


def gram(op: str, sides: Sides, max_bytes: int) -> Tensor:
    """(N, N)."""
    check_max_bytes(op, max_bytes)
    return _products.gram(sides, max_bytes)


def check_other(op: str, grad_output: Tensor, sides: Sides, other: Tensor) -> None:
    """Raise unless `other` is a tensor as the weight."""
    check_tensors(op, grad_output=grad_output, other=other)
    if other.shape != sides.weight:
        raise error(op, "other must have the size of the weight", other=other.shape, needed=sides.weight)


def meet(grad_output: Tensor, output: Tensor) -> Tensor:
    """dy, y (n, O, *L) → (n,): Σ d̄y · y."""
    return (grad_output.conj() * output).flatten(1).sum(1)


def scaled(op: str, grad_output: Tensor, sides: Sides, coefficients: object) -> Tensor:
    """dy (N, O, *L), in at least float32, each sample times its coefficient."""
    a = check_coefficients(op, coefficients, sides.samples, grad_output)
    dims = sides.geometry.dims
    dy = batched(grad_output.to(wide(grad_output)), dims)
    return dy * a.to(dy.dtype).view(-1, *[1] * (dims + 1))  # (N,) → (N, 1, …)


def check_coefficients(op: str, coefficients: object, samples: int, like: Tensor) -> Tensor:
    """The coefficients; raise unless they are a tensor (N,) that the operands' dtype can hold."""
    if not isinstance(coefficients, Tensor):
        raise error(op, f"coefficients must be a tensor, got {type(coefficients).__name__}")
    fitting = torch.can_cast(coefficients.dtype, wide(like)) and coefficients.device == like.device
    if coefficients.shape != (samples,) or not fitting:
        raise error(
            op,
            "coefficients must be one number for each sample, of the operands' kind",
            coefficients=facts(coefficients),
            needed=((samples,), str(like.dtype)),
        )
    return coefficients
