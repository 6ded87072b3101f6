"""A trained network, taken from its run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from handgrad import layers
from handgrad._algorithms.setting import reproducible
from handgrad._errors import HandgradError

from . import data, models, run, state
from .config import DTYPES, usable
from .evaluate import Result, evaluate
from .facts import Facts
from .models import Model
from .run import Say


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode with its newest weights, and what is known of it."""

    model: layers.Sequential
    description: Model
    facts: Facts
    device: torch.device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return DTYPES[str(self.facts.config["dtype"])]

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """(N, C, H, W) as stored to (N, classes)."""
        logits, _ = self.model(self.facts.scaling.apply(images.to(self.device), self.dtype))
        return logits.double().softmax(1).cpu()


def load(folder: Path, device: str | None, say: Say) -> Trained:
    """The network of a run, finished or not, on `device` (None: the run's own).

    Raises HandgradError where the folder is no run or has no usable checkpoint; damaged ones are told of by `say`.
    """
    place = run.existing(folder)
    facts = Facts.read(place.facts)
    where = usable(device or str(facts.config["device"]))
    model, description = models.read(str(place.model)).build(facts.shape, len(facts.classes))
    model = model.to(where, DTYPES[str(facts.config["dtype"])])
    identity = facts.identity(description.toml())
    place.newest(identity, lambda tensors, _facts: state.load_model(tensors, model), say)
    return Trained(model.eval(), description, facts, where)


@reproducible("handgrad evaluate")
def evaluated(trained: Trained, source: Path | None, say: Say = lambda _: None) -> tuple[Result, int]:
    """On the test images at `source` (None: those of the run), and how many there are.

    Its sums have the bits they had at the end of training. Raises HandgradError where the images are not of the
    network's size or classes, or an algorithm is set that promises no bits.
    """
    facts = trained.facts
    named = facts.config["data"]
    loaded = data.load(source or (Path(named) if named else None), facts.seed)
    if source is None and loaded.fingerprint() != facts.fingerprint:
        say(f"warning: {loaded.name}: not the data that the run began with; its pixels or labels differ")
    if loaded.shape != facts.shape:
        raise HandgradError(f"{loaded.name}: images of {loaded.shape}, but the network takes {facts.shape}")
    if loaded.classes != facts.classes:
        raise HandgradError(f"{loaded.name}: its classes {loaded.classes} are not the network's {facts.classes}")
    split = loaded.test.to(trained.device)
    return evaluate(trained.model, facts.scaling, split, trained.dtype), len(split)
