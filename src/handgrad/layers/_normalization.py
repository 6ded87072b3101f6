"""Batch, group and layer normalization: one standardization, over different axes, then a scale and a shift."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from .._tensors import wide
from ..per_sample._use import Summed, by_channel, by_last
from ._layer import Layer, Pullback

Upstream = Callable[[Tensor], Tensor]


def _standardize(input: Tensor, axes: list[int], eps: float) -> tuple[Tensor, Upstream, Tensor, Tensor]:
    """x̂ with mean 0 and variance 1 over the axes, its backward pass, and μ and σ² (biased, axes kept with size 1)."""
    # x̂ = r (x − μ),  r = 1/√(σ² + ε)          dx = r (dx̂ − mean(dx̂) − x̂ · mean(dx̂ x̂))
    # The two means are there because μ and r depend on x.   Ioffe, Szegedy, 2015, section 3
    mean = input.mean(axes, keepdim=True)
    centred = input - mean  # before it is squared, or the variance of numbers far from 0 would cancel
    rest = centred.mean(axes, keepdim=True)  # the mean of numbers far from 0 is rounded as coarsely as they are
    mean, centred = mean + rest, centred.sub_(rest)
    variance = centred.square().mean(axes, keepdim=True)
    rate = (variance + eps).rsqrt()
    output = centred.mul_(rate)

    def backward(grad: Tensor) -> Tensor:
        along = (grad * output).mean(axes, keepdim=True)
        grad_input = grad.addcmul(output, along, value=-1)  # in one piece of memory: new ones take longer than the sums
        return grad_input.sub_(grad.mean(axes, keepdim=True)).mul_(rate)

    return output, backward, mean, variance


class _Norm(Layer):
    # Halves are computed on in float32 and rounded once, with parameters in halves or in float32.

    _takes_complex = False  # nor does torch.nn
    _takes_halves = True
    eps: float
    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        output, upstream = self._normalized(input.to(wide(input)))

        def backward(grad_output: Tensor) -> Tensor:
            return upstream(grad_output.to(wide(grad_output))).to(grad_output.dtype)

        return output.to(input.dtype), backward

    def _normalized(self, input: Tensor) -> tuple[Tensor, Upstream]:
        raise NotImplementedError

    def _check_channels(self, input: Tensor, ranks: tuple[int, ...] | None, channels: int) -> None:
        """(N, C, …) with one of these ranks (None: any) and so many channels."""
        rank = input.ndim >= 2 if ranks is None else input.ndim in ranks
        if not rank or input.shape[1] != channels:
            needed = "(N, C, …)" if ranks is None else f"{' or '.join(map(str, ranks))} axes"
            raise self._error("the input does not fit", input=input.shape, needed=(needed, f"C = {channels}"))

    # y = γ x̂ + β          dx̂ = γ dy,   dγ = Σ dy x̂,   dβ = Σ dy,   over the axes that γ and β do not have

    def _affine(
        self, standard: Tensor, upstream: Upstream, layout: Callable[..., Summed] = by_channel
    ) -> tuple[Tensor, Upstream]:
        """γ x̂ + β with γ and β on the axes that `layout` says, and its backward pass, which ends in x̂'s, `upstream`."""
        weight, bias = self.weight, self.bias
        if weight is None:  # then there is no bias
            return standard, upstream
        shape = _by_channel(standard) if layout is by_channel else weight.shape
        output = standard * weight.view(shape)
        output = output if bias is None else output.add_(bias.view(shape))

        def backward(grad_output: Tensor) -> Tensor:
            scale = layout(weight.shape, grad_output=grad_output, standard=standard)
            self.accumulate_grad(weight=scale, bias=layout(weight.shape, grad_output=grad_output))
            return upstream(grad_output * weight.view(shape))

        return output, backward


class _BatchNormNd(_Norm):
    num_features: int
    momentum: float | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _ranks: ClassVar[tuple[int, ...]]

    # μ and σ² are a channel's, over the batch and all positions; in evaluation its running estimates, two constants

    def _normalized(self, input: Tensor) -> tuple[Tensor, Upstream]:
        self._check_channels(input, self._ranks, self.num_features)
        shape = _by_channel(input)
        if self.training or self.running_mean is None or self.running_var is None:
            standard, upstream = self._by_batch(input)
        else:
            rate = (self.running_var.to(input.dtype) + self.eps).rsqrt().view(shape)
            standard, upstream = (input - self.running_mean.view(shape)) * rate, lambda grad: grad * rate
        return self._affine(standard, upstream)

    def _by_batch(self, input: Tensor) -> tuple[Tensor, Upstream]:
        count = input.numel() // self.num_features
        if count == 1:
            raise self._error("1 value a channel has no variance", input=input.shape)
        axes = [axis for axis in range(input.ndim) if axis != 1]
        standard, upstream, mean, variance = _standardize(input, axes, self.eps)
        upstream = self._mixing(upstream)
        if self.training:
            self._track(mean.flatten(), variance.flatten(), count)
        return standard, upstream

    def _mixing(self, upstream: Upstream) -> Upstream:
        def backward(grad: Tensor) -> Tensor:
            self._refuse_samples(
                "batch statistics mix the samples, and no gradient belongs to one of them",
                "`layer.eval()`, or GroupNorm instead: `hg.layers.GroupNorm(groups, channels)`",
            )
            return upstream(grad)

        return backward

    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running estimates towards the batch's; without a momentum they are the mean over all batches."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        if count:
            step = self.momentum if self.momentum is not None else 1 / int(self.num_batches_tracked)
            unbiased = variance * (count / (count - 1))  # as an estimate should be
            for running, new in ((self.running_mean, mean), (self.running_var, unbiased)):
                running.copy_(running.to(new.dtype).lerp(new, step))


class BatchNorm1d(_BatchNormNd, nn.BatchNorm1d):
    """Each channel of (N, C[, L]) standardized; raises `HandgradError` for another shape or 1 value a channel."""

    _ranks = (2, 3)


class BatchNorm2d(_BatchNormNd, nn.BatchNorm2d):
    """Each channel of (N, C, H, W) standardized; raises `HandgradError` for another shape or 1 value a channel."""

    _ranks = (4,)


class BatchNorm3d(_BatchNormNd, nn.BatchNorm3d):
    """Each channel of (N, C, D, H, W) standardized; raises `HandgradError` for another shape or 1 value a channel."""

    _ranks = (5,)


class GroupNorm(_Norm, nn.GroupNorm):
    """Each sample's groups of channels of (N, C, …) standardized.

    Raises `HandgradError` for another C, and as `torch.nn` for a single sample with 1 value a group.
    """

    # μ and σ² are a sample's and a group's, over its channels and all positions.   Wu, He, 2018

    def _normalized(self, input: Tensor) -> tuple[Tensor, Upstream]:
        self._check_channels(input, None, self.num_channels)
        if input.numel() == self.num_groups:
            raise self._error("1 value a group has no variance", input=input.shape)
        split = self.num_groups, self.num_channels // self.num_groups
        groups = torch.unflatten(input, 1, split)  # (N, C, …) = (N, G, C/G, …)
        standard, upstream, *_ = _standardize(groups, [*range(2, groups.ndim)], self.eps)

        def ungrouped(grad: Tensor) -> Tensor:
            return upstream(torch.unflatten(grad, 1, split)).flatten(1, 2)  # (N, C, …) = (N, G, C/G, …) and back

        return self._affine(standard.flatten(1, 2), ungrouped)


class LayerNorm(_Norm, nn.LayerNorm):
    """The last axes, `normalized_shape`, standardized; raises `HandgradError` if they differ."""

    # μ and σ² are over the last axes, of everything before them.   Ba, Kiros, Hinton, 2016

    def _normalized(self, input: Tensor) -> tuple[Tensor, Upstream]:
        shape = self.normalized_shape
        if input.shape[-len(shape) :] != shape:
            raise self._error("the input's last axes are not normalized_shape", input=input.shape, needed=shape)
        standard, upstream, *_ = _standardize(input, [*range(-len(shape), 0)], self.eps)
        return self._affine(standard, upstream, by_last)


def _by_channel(input: Tensor) -> tuple[int, ...]:
    """The shape (1, C, 1, …) in which a number for each channel meets the input."""
    return (1, input.shape[1], *[1] * (input.ndim - 2))
