"""Batch, group and layer normalization: one standardization, over different axes, then a scale and a shift."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from .._tensors import wide
from ..per_sample._use import Summed, by_channel, by_last
from ._backward import Again, Pullback, fresh, repeatable, repeating
from ._layer import Layer

Upstream = Callable[[Tensor], Tensor]


def _centred(input: Tensor, axes: list[int], over: bool) -> tuple[Tensor, Tensor]:
    """x − μ, in the input's own memory if it may be written over, and μ (axes kept with size 1)."""
    mean = input.mean(axes, keepdim=True)
    centred = torch.sub(input, mean, out=input if over else None)
    rest = centred.mean(axes, keepdim=True)  # the mean of numbers far from 0 is rounded as coarsely as they are
    return centred.sub_(rest), mean + rest


def _standardize(input: Tensor, axes: list[int], eps: float, over: bool) -> tuple[Tensor, Upstream]:
    """x̂ with mean 0 and variance 1 over the axes, and its backward pass."""
    # x̂ = r (x − μ),  r = 1/√(σ² + ε)          dx = r (dx̂ − mean(dx̂) − x̂ · mean(dx̂ x̂))
    # The two means are there because μ and r depend on x.   Ioffe, Szegedy, 2015, section 3
    centred, _ = _centred(input, axes, over)  # before it is squared, or a variance of numbers far from 0 would cancel
    rate = (centred.square().mean(axes, keepdim=True) + eps).rsqrt()
    output = centred.mul_(rate)

    def backward(grad: Tensor) -> Tensor:
        along = (grad * output).mean(axes, keepdim=True)
        grad_input = grad.addcmul(output, along, value=-1)  # in one piece of memory: new ones take longer than the sums
        return grad_input.sub_(grad.mean(axes, keepdim=True)).mul_(rate)

    return output, backward


class _Norm(Layer):
    # Halves are computed on in float32 and rounded once, with parameters in halves or in float32.

    _takes_complex = False  # nor does torch.nn
    _takes_halves = True
    eps: float
    weight: nn.Parameter | None
    bias: nn.Parameter | None

    @fresh
    @repeatable
    def forward(self, input: Tensor, *, over: bool = False) -> tuple[Tensor, Pullback]:
        widened = input.to(wide(input))
        output, upstream = self._normalized(widened, over or widened is not input)
        if widened is input:
            return output, fresh(upstream)

        def backward(grad_output: Tensor) -> Tensor:
            return upstream(grad_output.to(wide(grad_output))).to(grad_output.dtype)

        return output.to(input.dtype), backward

    def _is_fresh(self) -> bool:
        return self.weight is not None and super()._is_fresh()  # without it x̂ goes out, and the backward pass needs it

    def _normalized(self, input: Tensor, over: bool) -> tuple[Tensor, Upstream]:
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

        def scaled() -> Tensor:
            output = standard * weight.view(shape)
            return output if bias is None else output.add_(bias.view(shape))

        def backward(grad_output: Tensor) -> Tensor:
            scale = layout(weight.shape, grad_output=grad_output, standard=standard)
            self.accumulate_grad(weight=scale, bias=layout(weight.shape, grad_output=grad_output))
            return upstream(grad_output * weight.view(shape))

        return scaled(), repeating(backward, Again(scaled))


class _BatchNormNd(_Norm):
    num_features: int
    momentum: float | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _ranks: ClassVar[tuple[int, ...]]

    # μ and σ² are a channel's, over the batch and all positions; in evaluation its running estimates, two constants

    def _normalized(self, input: Tensor, over: bool) -> tuple[Tensor, Upstream]:
        self._check_channels(input, self._ranks, self.num_features)
        if self.training or self.running_mean is None or self.running_var is None:
            return self._by_batch(input, over)
        shape = _by_channel(input)
        rate = (self.running_var.to(input.dtype) + self.eps).rsqrt().view(shape)
        return self._affine((input - self.running_mean.view(shape)) * rate, lambda grad: grad * rate)

    # y = s (c − ρ) + β,   c − ρ = x − μ,   s = γ r          dx = s (dy − mean(dy) − x̂ · mean(dy x̂)),   x̂ = r (c − ρ)
    # As γ is a channel's too, dγ = Σ dy x̂ and dβ = Σ dy are these means already. With a number or two for each channel
    # put together, y = s c + shift and dx = s dy + slope c + rest. (One addcmul takes longer than product and sum: it
    # reads a number for each channel one by one.)

    def _by_batch(self, input: Tensor, over: bool) -> tuple[Tensor, Upstream]:
        count = input.numel() // self.num_features
        if count == 1:
            raise self._error("1 value a channel has no variance", input=input.shape)
        axes, shape = [axis for axis in range(input.ndim) if axis != 1], _by_channel(input)
        n = max(count, 1)  # of an empty batch all sums are 0, and so are its gradients
        mean = input.sum(axes, keepdim=True) / n
        centred = torch.sub(input, mean, out=input if over else None)
        missed = centred.sum(axes, keepdim=True) / n  # ρ: a mean far from 0 is rounded as coarsely as the numbers are
        output = centred * centred  # which would cancel if they were far from 0
        variance = (output.sum(axes, keepdim=True) / n).addcmul_(missed, missed, value=-1).clamp_min_(0)
        rate = (variance + self.eps).rsqrt()
        scale = rate if self.weight is None else rate * self.weight.view(shape)
        shift = -missed * scale if self.bias is None else self.bias.view(shape) - missed * scale
        torch.mul(centred, scale, out=output).add_(shift)  # in the squares' memory: new memory takes longer than this
        if self.training:
            self._track((mean + missed).flatten(), variance.flatten(), count)

        def backward(grad: Tensor) -> Tensor:
            self._refuse_samples(
                "batch statistics mix the samples, and no gradient belongs to one of them",
                "`layer.eval()`, or GroupNorm instead: `hg.layers.GroupNorm(groups, channels)`",
            )
            total, products = grad.sum(axes, keepdim=True), grad * centred
            along = (products.sum(axes, keepdim=True) - missed * total) * rate
            self.accumulate_grad(weight=along.flatten(), bias=total.flatten())
            slope = along * rate * scale / -n
            rest = total * scale / -n - slope * missed
            return torch.mul(centred, slope, out=products).add_(rest).addcmul_(grad, scale)

        y = Again(lambda: (centred * scale).add_(shift))
        return output, repeating(backward, y)

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

    def _normalized(self, input: Tensor, over: bool) -> tuple[Tensor, Upstream]:
        self._check_channels(input, None, self.num_channels)
        if input.numel() == self.num_groups:
            raise self._error("1 value a group has no variance", input=input.shape)
        split = self.num_groups, self.num_channels // self.num_groups
        groups = torch.unflatten(input, 1, split)  # (N, C, …) = (N, G, C/G, …)
        standard, upstream = _standardize(groups, [*range(2, groups.ndim)], self.eps, over)

        def ungrouped(grad: Tensor) -> Tensor:
            return upstream(torch.unflatten(grad, 1, split)).flatten(1, 2)  # (N, C, …) = (N, G, C/G, …) and back

        return self._affine(standard.flatten(1, 2), ungrouped)


class LayerNorm(_Norm, nn.LayerNorm):
    """The last axes, `normalized_shape`, standardized; raises `HandgradError` if they differ."""

    # μ and σ² are over the last axes, of everything before them.   Ba, Kiros, Hinton, 2016

    def _normalized(self, input: Tensor, over: bool) -> tuple[Tensor, Upstream]:
        shape = self.normalized_shape
        if input.shape[-len(shape) :] != shape:
            raise self._error("the input's last axes are not normalized_shape", input=input.shape, needed=shape)
        standard, upstream = _standardize(input, [*range(-len(shape), 0)], self.eps, over)
        return self._affine(standard, upstream, by_last)


def _by_channel(input: Tensor) -> tuple[int, ...]:
    """The shape (1, C, 1, …) in which a number for each channel meets the input."""
    return (1, input.shape[1], *[1] * (input.ndim - 2))
