"""Everything that decides how a run goes on, as tensors and plain values: what a checkpoint holds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from handgrad._errors import HandgradError

from .checkpoint import Tensors

MODEL, OPTIMIZER, RNG, CUDA_RNG = "model.", "optimizer.", "rng", "rng.cuda"


@dataclass
class Progress:
    """How far a run is: whole epochs, batches of the one under way, the sums over those batches, the lines written.

    The order of the batches follows from (seed, epoch), so a position is all that is needed to find the next one.
    """

    epoch: int = 0
    position: int = 0
    loss: float = 0.0
    correct: int = 0
    seen: int = 0
    noise_trace: float = 0.0  # these two are of `noise_scale`
    noise_square: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def mean_loss(self) -> float | None:
        """Of the epoch so far; None where no image was seen, as may be when chance makes the batches."""
        return self.loss / self.seen if self.seen else None

    @property
    def accuracy(self) -> float | None:
        """As `mean_loss`."""
        return self.correct / self.seen if self.seen else None

    def finish_epoch(self, line: dict[str, Any]) -> None:
        """Begin the next epoch with empty sums; `line` is what metrics.jsonl says of this one."""
        self.history.append({key: value for key, value in line.items() if key != "seconds"})
        self.epoch += 1
        self.position = self.correct = self.seen = 0
        self.loss = self.noise_trace = self.noise_square = 0.0


def gather(
    model: nn.Module, optimizer: Optimizer, scheduler: LRScheduler, progress: Progress
) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and facts for `checkpoint.save`: weights and buffers, optimizer and schedule, generators, progress."""
    saved = optimizer.state_dict()
    tensors = {MODEL + name: tensor for name, tensor in model.state_dict().items()}
    for index, entries in saved["state"].items():
        tensors |= {f"{OPTIMIZER}{index}.{key}": value for key, value in entries.items() if value is not None}
    tensors[RNG] = torch.get_rng_state()
    if (device := _cuda(model)) is not None:
        tensors[CUDA_RNG] = torch.cuda.get_rng_state(device)
    facts = {
        "progress": dataclasses.asdict(progress),
        "optimizer": saved["param_groups"],
        "scheduler": scheduler.state_dict(),
    }
    return tensors, facts


def restore(
    tensors: Tensors, facts: dict[str, Any], model: nn.Module, optimizer: Optimizer, scheduler: LRScheduler
) -> Progress:
    """Put back what `gather` took. Raises HandgradError where it is another network's."""
    load_model(tensors, model)
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith(OPTIMIZER):
            index, key = name.removeprefix(OPTIMIZER).split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
    try:
        optimizer.load_state_dict({"state": state, "param_groups": facts["optimizer"]})
        scheduler.load_state_dict(facts["scheduler"])
        progress = Progress(**facts["progress"])
    except (KeyError, TypeError, ValueError) as problem:
        raise HandgradError(f"the checkpoint is of another run: {problem}") from problem
    torch.set_rng_state(tensors[RNG])
    if (device := _cuda(model)) is not None and CUDA_RNG in tensors:
        torch.cuda.set_rng_state(tensors[CUDA_RNG], device)
    return progress


def load_model(tensors: Tensors, model: nn.Module) -> None:
    """Weights and buffers alone. Raises HandgradError where they are another network's."""
    weights = {name.removeprefix(MODEL): tensor for name, tensor in tensors.items() if name.startswith(MODEL)}
    try:
        model.load_state_dict(weights)
    except RuntimeError as problem:
        first = " ".join(str(problem).split()[:30])
        raise HandgradError(f"the checkpoint is of another network: {first}") from problem


def _cuda(model: nn.Module) -> torch.device | None:
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    return next(iter(devices), None)
