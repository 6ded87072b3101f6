"""handgrad's public functions, with its own choice of an algorithm or with a given one."""

from __future__ import annotations

from ... import functional
from ..task import Task
from .entry import Entry

ALGORITHMS = ("auto",)


def own(algorithm: str, task: Task) -> Entry:
    """The call that a user would write."""
    shape, settings = task.shape, task.settings
    del algorithm
    name = f"conv{shape.dims}d"
    if task.op == "y":
        conv, x, w = getattr(functional, name), task.x, task.w
        return Entry(lambda: conv(x, w, **settings))
    if task.op == "dW":
        conv_weight, x, dy = getattr(functional, f"{name}_weight"), task.x, task.dy
        return Entry(lambda: conv_weight(x, shape.w, dy, **settings))
    conv_input, w, dy = getattr(functional, f"{name}_input"), task.w, task.dy
    return Entry(lambda: conv_input(shape.x, w, dy, **settings))
