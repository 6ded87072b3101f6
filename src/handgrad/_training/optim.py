"""Optimizers and learning-rate schedules: torch.optim's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR, StepLR

from .config import Config

# A schedule from its optimizer, the learning rate at its highest, and the number of steps in the whole run.
SCHEDULES: dict[str, Callable[[Optimizer, float, int], LRScheduler]] = {
    "constant": lambda optimizer, _lr, _steps: ConstantLR(optimizer, factor=1.0),
    "cosine": lambda optimizer, _lr, steps: CosineAnnealingLR(optimizer, T_max=steps),
    "step": lambda optimizer, _lr, steps: StepLR(optimizer, step_size=max(1, steps // 3), gamma=0.1),
    "onecycle": lambda optimizer, lr, steps: OneCycleLR(
        optimizer,
        max_lr=lr,
        total_steps=steps,
        cycle_momentum=False,  # which is --momentum's to say
    ),
}
OPTIMIZERS: dict[str, Callable[[Iterable[nn.Parameter], Config], Optimizer]] = {
    "sgd": lambda parameters, c: SGD(parameters, c.lr, momentum=c.momentum, weight_decay=c.weight_decay),
    "adam": lambda parameters, c: Adam(parameters, c.lr, betas=(c.momentum, 0.999), weight_decay=c.weight_decay),
    "adamw": lambda parameters, c: AdamW(parameters, c.lr, betas=(c.momentum, 0.999), weight_decay=c.weight_decay),
}


def make(parameters: Iterable[nn.Parameter], config: Config, steps: int) -> tuple[Optimizer, LRScheduler]:
    """The optimizer and, to be stepped after each of its `steps` steps, the schedule."""
    optimizer = OPTIMIZERS[config.optimizer](parameters, config)
    return optimizer, SCHEDULES[config.schedule](optimizer, config.lr, steps)
