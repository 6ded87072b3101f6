"""JAX's convolution, compiled by XLA for the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch

from ..task import Task
from .entry import CannotEnter, Entry

_LETTERS = "DHW"


def jax(task: Task) -> Entry:
    """`lax.conv_general_dilated` and its transposes, jitted; a call ends when its result is there."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if task.threads != cores:
        raise CannotEnter(f"jax always runs on all {cores} cores; limit them with taskset")
    jax: Any = import_module("jax")
    jax.config.update("jax_enable_x64", True)  # else it rounds float64 to float32
    x, w, dy = (jax.device_put(tensor.numpy(), jax.devices("cpu")[0]) for tensor in (task.x, task.w, task.dy))
    conv = _conv(jax, task)
    known = {"y": (conv, (x, w)), "dW": (_transpose(jax, lambda w: conv(x, w), w), (dy,))}
    known["dX"] = (_transpose(jax, lambda x: conv(x, w), x), (dy,))
    function, operands = known[task.op]
    compiled = jax.jit(function)
    return Entry(lambda: compiled(*operands).block_until_ready(), lambda y: torch.from_numpy(np.array(y)))


def _conv(jax: Any, task: Task) -> Callable[[Any, Any], Any]:
    shape, letters = task.shape, _LETTERS[-task.shape.dims :]
    options = {
        "window_strides": shape.stride,
        "padding": [(size, size) for size in shape.padding],
        "rhs_dilation": shape.dilation,
        "feature_group_count": shape.groups,
        "dimension_numbers": (f"NC{letters}", f"OI{letters}", f"NC{letters}"),
    }
    return lambda x, w: jax.lax.conv_general_dilated(x, w, **options)


def _transpose(jax: Any, linear: Callable[[Any], Any], operand: Any) -> Callable[[Any], Any]:
    """Its gradient: the transpose of what is linear in this operand."""
    transposed = jax.linear_transpose(linear, operand)
    return lambda dy: transposed(dy)[0]
