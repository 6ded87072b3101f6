"""Which options of a private run go together, and what is refused."""

from __future__ import annotations

import dataclasses
import math

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from handgrad._errors import HandgradError

from ..config import Config
from . import accounting, sampling
from .accounting import Mechanism

NEEDED = ("max_grad_norm", "delta")
FOR_PRIVATE = (
    *NEEDED,
    "noise_multiplier",
    "target_epsilon",
    "clipping",
    "accountant",
    "secure_noise",
    "max_physical_batch_size",
)


def check(config: Config) -> None:
    """Raises HandgradError where options contradict each other or one is missing."""
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    if not config.private:
        for name in FOR_PRIVATE:
            if getattr(config, name) != defaults[name]:
                raise HandgradError(f"{_flag(name)} is for --private, which is not set")
        return
    for name in NEEDED:
        if getattr(config, name) is None:
            raise HandgradError(f"--private needs {_flag(name)}")
    if (config.noise_multiplier is None) == (config.target_epsilon is None):
        raise HandgradError("--private needs --noise-multiplier or --target-epsilon, which finds it, and not both")
    if config.grad_noise_scale:
        raise HandgradError("--grad-noise-scale tells of the images' own gradients, which --private keeps secret")


def check_layers(model: nn.Sequential, config: Config) -> None:
    """Raises HandgradError, naming a layer and what may stand for it, if it mixes images that must be told apart."""
    option = "--private" if config.private else "--grad-noise-scale"
    for index, layer in enumerate(model if config.private or config.grad_noise_scale else ()):
        if isinstance(layer, _BatchNorm):
            raise HandgradError(
                f"{option}: layer {index} ({type(layer).__name__}) mixes the images of a batch, so that no gradient is "
                f'one image\'s own. In its place: type = "GroupNorm", num_groups = {math.gcd(layer.num_features, 4)}; '
                "or --model cnn-group, where that is done"
            )


def mechanism(config: Config, images: int) -> Mechanism:
    """What ε will follow from, of options that `check` let pass; for `--target-epsilon` the noise is looked for.

    Raises HandgradError where a batch is to have more images than there are, and as `accounting` does.
    """
    if config.batch_size > images:
        raise HandgradError(f"--batch-size {config.batch_size}: more than the {images} images to train on")
    probability, steps = config.batch_size / images, config.epochs * sampling.steps(images, config.batch_size)
    noise, bound, delta = config.noise_multiplier, config.max_grad_norm, config.delta
    assert bound is not None
    assert delta is not None
    if noise is None:
        assert config.target_epsilon is not None
        noise = accounting.noise_multiplier(config.accountant, probability, steps, config.target_epsilon, delta)
    made = Mechanism(config.accountant, probability, noise, bound, delta)
    made.epsilon(steps)  # if there is no bound, now is the time to say so
    return made


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
