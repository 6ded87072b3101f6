"""What a run is told. The command line offers these and no others; their defaults stand here alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from handgrad._errors import HandgradError

from . import toml

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Config:
    """A training run, whole: the same configuration gives the same bits on the same machine.

    The defaults learn the embedded digits (`data` None) to 99 % within half a minute.
    """

    data: Path | None = None
    model: str = "cnn"
    epochs: int = 12
    batch_size: int = 64
    optimizer: str = "adam"
    lr: float = 3e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "cosine"
    augment_shift: int = 0
    dtype: str = "float32"
    device: str = "cpu"
    seed: int = 0
    verify: bool = True
    save_every: float | None = 30.0  # seconds between checkpoints within an epoch; None saves after epochs alone
    grad_noise_scale: bool = False
    private: bool = False  # what follows is for private runs alone, and None where one has to say it
    max_grad_norm: float | None = None
    noise_multiplier: float | None = None
    target_epsilon: float | None = None
    delta: float | None = None
    clipping: str = "flat"
    accountant: str = "pld"
    secure_noise: bool = False
    max_physical_batch_size: int = 256

    def table(self, model: str) -> dict[str, Any]:
        """As plain values, `model` in the place of the model: every field, and no path that hangs on this folder."""
        data = None if self.data is None else str(self.data.resolve())
        save_every = "epoch" if self.save_every is None else self.save_every
        return {**dataclasses.asdict(self), "data": data, "model": model, "save_every": save_every}

    def toml(self, model: str) -> str:
        """As a file for `--config`."""
        return toml.flat(self.table(model))

    def torch_device(self) -> torch.device:
        """The device. Raises HandgradError if this machine has none of that name."""
        return usable(self.device)


def usable(name: str) -> torch.device:
    """The device of that name, tried out. Raises HandgradError where it is not there."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).tolist()  # meta would hold no numbers
    except (RuntimeError, AssertionError) as problem:
        raise HandgradError(
            f"--device {name}: not to be had on this machine: {str(problem).splitlines()[0]}"
        ) from problem
    return device
