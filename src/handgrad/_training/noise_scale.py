"""The simple noise scale: from how many images on a larger batch no longer gives a much better gradient.

B = tr(Σ) / |G|², with G the true gradient and Σ the covariance of one image's. McCandlish, Kaplan, Amodei, "An
Empirical Model of Large-Batch Training", 2018, equation 2.9. Of n images with gradients g and mean ḡ, without bias:

    tr(Σ) ≈ (Σ |g|² − n |ḡ|²) / (n − 1)          |G|² ≈ |ḡ|² − tr(Σ) / n

Each is averaged over the batches of an epoch before they are divided, since a ratio of averages is less biased than an
average of ratios.
"""

from __future__ import annotations

from functools import reduce

import torch

from handgrad.per_sample import Samples

from .state import Progress


def add(progress: Progress, samples: Samples) -> None:
    """The two estimates of a batch whose mean loss's gradient `samples` and `.grad` hold; one image says nothing."""
    squares = samples.sqnorm().double()
    n = len(squares)
    if n < 2:
        return
    mean = float(reduce(torch.add, [_square(parameter.grad) for parameter in samples.parameters()]))
    trace = (n**2 * float(squares.sum()) - n * mean) / (n - 1)  # the mean loss has 1/n in each image's gradient
    progress.noise_trace += trace
    progress.noise_square += mean - trace / n


def of(progress: Progress) -> float | None:
    """The epoch's noise scale in images; None where |G|² is lost in the noise."""
    return progress.noise_trace / progress.noise_square if progress.noise_square > 0 else None


def _square(gradient: torch.Tensor | None) -> torch.Tensor:
    assert gradient is not None
    return gradient.double().square().sum()
