"""What every sample of a batch says about the scale γ and the shift β of a normalization, y = γ x̂ + β.

dγ[n] = Σ dy[n] · x̂[n] and dβ[n] = Σ dy[n] over the axes that they do not have. Both are as small as dy at most, and so
there is no other way to their norms. Batch statistics would mix the samples: batch normalization is that of evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch.nn.functional as F
from torch import Tensor

from .._context import by_hand
from .._errors import error
from .._operands import check_tensors
from .._tensors import wide
from ..functional._common import as_size
from ._family import Extra, family
from ._use import Summed, by_channel, by_last

__all__ = [
    f"{norm}_norm_{kind}"
    for norm in ("batch", "group", "layer")
    for kind in ("bias", "weight", "weight_dot", "weight_gram", "weight_sqnorm", "weight_weighted")
]


def batch_norm(
    op: str,
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    grad_output: Tensor,
    eps: float = 1e-5,
    **_: Unpack[Extra],
) -> Summed:
    """Every sample's gradient of `torch.nn.functional.batch_norm` in evaluation with respect to its weight.

    Args:
        input: x, (N, C, *).
        running_mean, running_var: (C,).
        grad_output: dy, (N, C, *).
        eps: what is added to the variance.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        (N, C).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    _check(op, input, grad_output, running_mean=running_mean, running_var=running_var)
    C = _channels(op, input)
    if running_mean.shape != (C,) or running_var.shape != (C,):
        sizes = {"running_mean": running_mean.shape, "running_var": running_var.shape}
        raise error(op, "the running estimates have one number for each channel", **sizes, needed=(C,))
    kind = wide(input)
    standard = F.batch_norm(input.to(kind), running_mean.to(kind), running_var.to(kind), eps=eps)
    return by_channel((C,), grad_output=grad_output, standard=standard)


def group_norm(
    op: str, input: Tensor, num_groups: int, grad_output: Tensor, eps: float = 1e-5, **_: Unpack[Extra]
) -> Summed:
    """Every sample's gradient of `torch.nn.functional.group_norm` with respect to its weight.

    Args:
        input: x, (N, C, *).
        num_groups: the number of groups of channels, each standardized on its own.
        grad_output: dy, (N, C, *).
        eps: what is added to the variance.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        (N, C).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    _check(op, input, grad_output)
    C = _channels(op, input)
    if not isinstance(num_groups, int) or num_groups < 1 or C % num_groups:
        raise error(op, "num_groups must divide C", input=(input.shape, f"C = {C}"), num_groups=num_groups)
    standard = F.group_norm(input.to(wide(input)), num_groups, eps=eps)
    return by_channel((C,), grad_output=grad_output, standard=standard)


def layer_norm(
    op: str,
    input: Tensor,
    normalized_shape: Sequence[int],
    grad_output: Tensor,
    eps: float = 1e-5,
    **_: Unpack[Extra],
) -> Summed:
    """Every sample's gradient of `torch.nn.functional.layer_norm` with respect to its weight.

    Args:
        input: x, (N, *, *normalized_shape), or (*normalized_shape), which is one sample.
        normalized_shape: the last axes, which are standardized and which the weight has.
        grad_output: dy, as the input.
        eps: what is added to the variance.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        (N, *normalized_shape).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    _check(op, input, grad_output)
    shape = _last(op, "input", input, normalized_shape)
    return by_last(shape, grad_output=grad_output, standard=F.layer_norm(input.to(wide(input)), shape, eps=eps))


@by_hand()
def batch_norm_bias(grad_output: Tensor) -> Tensor:
    """Every sample's gradient of `torch.nn.functional.batch_norm` in evaluation with respect to its bias.

    Args:
        grad_output: dy, (N, C, *).

    Returns:
        (N, C).

    Raises:
        HandgradError: where grad_output has too few axes or a dtype without gradients.
    """
    return _channel_bias("per_sample.batch_norm_bias", grad_output)


@by_hand()
def group_norm_bias(grad_output: Tensor) -> Tensor:
    """Every sample's gradient of `torch.nn.functional.group_norm` with respect to its bias.

    Args:
        grad_output: dy, (N, C, *).

    Returns:
        (N, C).

    Raises:
        HandgradError: where grad_output has too few axes or a dtype without gradients.
    """
    return _channel_bias("per_sample.group_norm_bias", grad_output)


@by_hand()
def layer_norm_bias(normalized_shape: Sequence[int], grad_output: Tensor) -> Tensor:
    """Every sample's gradient of `torch.nn.functional.layer_norm` with respect to its bias.

    Args:
        normalized_shape: the last axes, which the bias has.
        grad_output: dy, (N, *, *normalized_shape), or (*normalized_shape), which is one sample.

    Returns:
        (N, *normalized_shape).

    Raises:
        HandgradError: where sizes do not go together or grad_output has a dtype without gradients.
    """
    op = "per_sample.layer_norm_bias"
    check_tensors(op, grad_output=grad_output)
    shape = _last(op, "grad_output", grad_output, normalized_shape)
    return by_last(shape, grad_output=grad_output).gradients().to(grad_output.dtype)


def _check(op: str, input: Tensor, grad_output: Tensor, **estimates: Tensor) -> None:
    check_tensors(op, input=input, grad_output=grad_output, **estimates)
    if input.is_complex():
        raise error(op, "complex numbers are not normalized", input=input.dtype)
    if input.shape != grad_output.shape:
        raise error(op, "input and grad_output must have one size", input=input.shape, grad_output=grad_output.shape)


def _channels(op: str, tensor: Tensor) -> int:
    if tensor.dim() < 2:
        raise error(op, "the operands must be (N, C, *)", got=tensor.shape)
    return tensor.shape[1]


def _channel_bias(op: str, grad_output: Tensor) -> Tensor:
    check_tensors(op, grad_output=grad_output)
    C = _channels(op, grad_output)
    return by_channel((C,), grad_output=grad_output).gradients().to(grad_output.dtype)


def _last(op: str, name: str, tensor: Tensor, normalized_shape: Sequence[int]) -> tuple[int, ...]:
    shape = as_size(op, "normalized_shape", normalized_shape)
    if not shape or tensor.shape[-len(shape) :] != shape:
        raise error(op, f"the last axes of {name} are not normalized_shape", **{name: tensor.shape}, needed=shape)
    return shape


(
    batch_norm_weight,
    batch_norm_weight_sqnorm,
    batch_norm_weight_dot,
    batch_norm_weight_gram,
    batch_norm_weight_weighted,
) = family(batch_norm)
(
    group_norm_weight,
    group_norm_weight_sqnorm,
    group_norm_weight_dot,
    group_norm_weight_gram,
    group_norm_weight_weighted,
) = family(group_norm)
(
    layer_norm_weight,
    layer_norm_weight_sqnorm,
    layer_norm_weight_dot,
    layer_norm_weight_gram,
    layer_norm_weight_weighted,
) = family(layer_norm)
