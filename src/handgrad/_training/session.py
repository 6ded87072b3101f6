"""A training run in memory: put together from a configuration, begun in a folder or taken up again from one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from handgrad import layers
from handgrad._errors import HandgradError

from . import batches, checkpoint, data, files, metrics, models, optim, run, state, verify
from .checkpoint import Tensors
from .config import DTYPES, Config
from .data import Dataset
from .facts import Facts
from .images import Scaling
from .private import options, sampling
from .private.accounting import Mechanism
from .run import Run, Say


@dataclass
class Session:
    """What the loop works on. `data` lies on the device of `model`; `facts` go into run.json."""

    config: Config
    description: models.Model
    data: Dataset
    model: layers.Sequential
    optimizer: Optimizer
    scheduler: LRScheduler
    facts: Facts
    progress: state.Progress

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return DTYPES[self.config.dtype]

    @property
    def privacy(self) -> Mechanism | None:
        """What a private run does at each step; of others None."""
        return self.facts.privacy

    @property
    def epsilon(self) -> float | None:
        """What a private run has given away so far."""
        steps = self.progress.epoch * self.batches + self.progress.position
        return None if self.privacy is None else self.privacy.epsilon(steps)

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return _batches(self.config, len(self.data.train))

    def rest_of_epoch(self) -> Iterator[Tensor]:
        """The indices of each batch that is still to come in this epoch."""
        config, images, progress = self.config, len(self.data.train), self.progress
        if config.private:
            chance = (config.seed, progress.epoch, config.secure_noise, progress.position)
            return sampling.batches(images, config.batch_size, *chance)
        return iter(batches.batches(images, config.batch_size, config.seed, progress.epoch)[progress.position :])

    def save(self, folder: Run) -> None:
        """A checkpoint of this moment; older ones than needed go."""
        tensors, facts = state.gather(self.model, self.optimizer, self.scheduler, self.progress)
        facts["run"] = self.facts.identity(self.description.toml())
        checkpoint.save(folder.checkpoint(self.progress.epoch, self.progress.position), tensors, facts)
        folder.tidy()


def prepare(config: Config, description: models.Model, privacy: Mechanism | None = None) -> Session:
    """Everything before the first step, the global generator seeded.

    `privacy` is what a run that is taken up has said of it: its noise is not looked for again. Raises HandgradError for
    options that contradict each other, bad data or models.
    """
    options.check(config)
    device = config.torch_device()
    _same_bits(device)
    loaded = data.load(config.data, config.seed)
    if config.augment_shift >= min(loaded.shape[1:]):
        raise HandgradError(f"--augment-shift {config.augment_shift}: the images have {loaded.shape[1:]} pixels")
    if config.private and privacy is None:
        privacy = options.mechanism(config, len(loaded.train))
    torch.manual_seed(config.seed)
    model, description = description.build(loaded.shape, len(loaded.classes))
    options.check_layers(model, config)
    model = model.to(device, DTYPES[config.dtype])
    steps = config.epochs * _batches(config, len(loaded.train))
    optimizer, scheduler = optim.make(model.parameters(), config, steps)
    facts = Facts(
        seed=config.seed,
        config=config.table(description.source),
        data=loaded.name,
        fingerprint=loaded.fingerprint(),
        shape=loaded.shape,
        classes=loaded.classes,
        scaling=Scaling.of(loaded, config.private),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        privacy=privacy,
    )
    return Session(config, description, loaded.to(device), model, optimizer, scheduler, facts, state.Progress())


def _batches(config: Config, images: int) -> int:
    return (sampling.steps if config.private else batches.count)(images, config.batch_size)


def _same_bits(device: torch.device) -> None:
    """On a GPU sums run in any order unless PyTorch is told otherwise; it warns of what it cannot keep in order."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def check_gradients(session: Session, say: Say) -> None:
    """Compare every gradient with autograd's and say the worst error. Raises `verify.WrongGradientError`."""
    sample = session.data.train.images[: verify.IMAGES]
    images = session.facts.scaling.apply(sample, torch.float64)
    compared = verify.verify(session.model, images, session.data.train.labels[: verify.IMAGES])
    worst = compared[0]
    where = f"{worst.error:.1e}, {worst.of} of {worst.layer}"
    say(f"verified {len(compared)} gradients against autograd in float64: worst relative error {where}")


def begin(session: Session, folder: Path | None) -> Run:
    """Make the run's folder (None: a dated one) and put into it what is known, a first checkpoint included."""
    place = run.create(folder)
    files.write(place.model, session.description.toml())
    name = session.config.model if session.config.model in models.NAMED else place.model.name
    files.write(place.config, session.config.toml(name))
    session.facts.write(place.facts)
    session.save(place)
    return place


def take_up(session: Session, place: Run, say: Say) -> None:
    """Put `session`, freshly prepared, where the newest usable checkpoint of `place` was; metrics.jsonl follows.

    Raises HandgradError where the data or config.toml is no longer what the run began with, or where no checkpoint can
    be used.
    """
    before = Facts.read(place.facts)
    for name in before.config.keys() - {"data", "model"}:  # paths: the data is compared below, the network on loading
        if (then := before.config[name]) != (now := session.facts.config[name]):
            raise HandgradError(f"{place.config}: {name} is {now!r}, but the run began with {then!r}")
    if before.fingerprint != session.facts.fingerprint:
        raise HandgradError(
            f"{session.facts.data}: not the data that {place.folder} began with; its pixels or labels differ"
        )
    for name in ("threads", "versions"):
        if (then := getattr(before, name)) != (now := getattr(session.facts, name)):
            say(f"warning: {name} were {then}, are {now}: the last bits may differ from an uninterrupted run")

    def take(tensors: Tensors, facts: dict[str, Any]) -> state.Progress:
        return state.restore(tensors, facts, session.model, session.optimizer, session.scheduler)

    path, session.progress = place.newest(before.identity(session.description.toml()), take, say)
    place.sweep(after=path)
    session.facts = before
    metrics.restore(place.metrics, session.progress.history)
