"""The gradient of a private step: clipped, summed, made noisy, and divided by the batch that was expected."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from handgrad._tensors import wide
from handgrad.per_sample import Samples

from .. import step
from ..session import Session
from . import clipping, randomness
from .accounting import Mechanism

NOISE = 2  # tells the noise's numbers from the batches'


def gradients(session: Session, mechanism: Mechanism, indices: Tensor) -> None:
    """`.grad` = (Σ_n min(1, C/‖g_n‖) g_n + σ C z) / B, with z standard normal and B the expected batch.

    Abadi et al., 2016, algorithm 1. B is what was expected, and not what this batch has, which is secret.
    """
    config, progress = session.config, session.progress
    chance = randomness.generator(config.secure_noise, config.seed, progress.epoch, progress.position, NOISE)
    deviation = mechanism.noise_multiplier * mechanism.max_grad_norm
    for parameter, total in clipped_sum(session, mechanism.max_grad_norm, indices).items():
        noise = torch.from_numpy(chance.standard_normal(parameter.numel())).view(parameter.shape).to(total.device)
        parameter.grad = ((total + deviation * noise) / config.batch_size).to(parameter.dtype)


def clipped_sum(session: Session, bound: float, indices: Tensor) -> dict[nn.Parameter, Tensor]:
    """{parameter: Σ of the images' clipped gradients}, in at least float32: a forward and a backward pass for each.

    The batch, which may be empty, goes through the network in pieces of `config.max_physical_batch_size`.
    """
    config, model = session.config, session.model
    sums = {parameter: torch.zeros_like(parameter, dtype=wide(parameter)) for parameter in model.parameters()}
    together = clipping.groups(model, config.clipping)
    for piece in torch.split(indices, config.max_physical_batch_size) if len(indices) else ():
        samples = Samples(accumulate=False)
        step.forward(session, piece, "sum")(samples)
        norms = clipping.norms(samples, together)
        if not all(norm.isfinite().all() for norm in norms):  # an infinite one would take the image out of the sum
            raise step.diverged(session, "the norm of an image's gradient is not finite")
        factors = clipping.coefficients(norms, together, bound)
        for parameter, part in samples.weighted(factors, rounded=False).items():
            sums[parameter] += part
    return sums
