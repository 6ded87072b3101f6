"""handgrad's public functions, with its own choice of an algorithm or with a given one."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, cast, get_args

from torch import Tensor

from ... import functional, per_sample
from ..._algorithms.modules import refusal
from ..._algorithms.setting import NAMES, Algorithm, set_algorithm
from ..task import Task
from .entry import CannotEnter, Entry

OWN = "own"
ALGORITHMS = (*get_args(Algorithm), OWN)
"""What `set_algorithm` takes, and 'own': its choice among handgrad's own kernels, without PyTorch's."""


_OF_EACH = {"samples": "weight", "norms": "weight_sqnorm"}


def own(algorithm: str, task: Task) -> Entry:
    """The call that a user would write, in a context where `set_algorithm` has been called."""
    op, a, b = _two_operands(task)
    if algorithm in NAMES and (why := refusal(algorithm, op, a, b, task.shape.geometry)):
        raise CannotEnter(why)
    context = copy_context()
    if algorithm == OWN:
        context.run(set_algorithm, "auto", exclude=("native",))
    else:
        context.run(set_algorithm, cast("Algorithm", algorithm))
    return Entry(partial(context.run, _call(task)))


def _two_operands(task: Task) -> tuple[str, Tensor, Tensor]:
    """What the algorithms call the operation, and its operands."""
    operations = {"y": ("conv", task.x, task.w), "dX": ("conv_input", task.w, task.dy)}
    return operations.get(task.op, ("conv_weight", task.x, task.dy))


def _call(task: Task) -> Callable[[], Any]:
    shape, name = task.shape, f"conv{task.shape.dims}d"
    if task.op == "y":
        return partial(getattr(functional, name), task.x, task.w, **task.settings)
    if task.op in _OF_EACH:
        function = getattr(per_sample, f"{name}_{_OF_EACH[task.op]}")
        return partial(function, task.x, shape.w, task.dy, **task.settings)
    if task.op == "dW":
        return partial(getattr(functional, f"{name}_weight"), task.x, shape.w, task.dy, **task.settings)
    return partial(getattr(functional, f"{name}_input"), shape.x, task.w, task.dy, **task.settings)
