"""The convolution that a flat script computes, found by its values: which tensors, and with which settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import torch
from torch import Tensor

from ..example import Example
from ..operations import get
from ..operations.operation import Operation
from ..subjects.calling import gradient
from .program import Program, running
from .repair import attempt
from .world import Claim, World, world

_LARGEST = 50_000  # numbers of an image: larger ones are not tried
_SETTINGS = tuple(product((1, 2, 3), (0, 1, 2, 3), (1, 2)))  # stride, padding, dilation, the plain ones first


def plain_example(program: Program, claim: Claim) -> dict[str, Any] | None:
    """The script's convolution and a claim, as JSON values, or None where it computes something else."""
    with suppress(Exception):  # the report stands without a picture of it, whatever the script does when run once more
        return _example(world(program, claim))
    return None


def _example(posted: World) -> dict[str, Any] | None:
    with running(posted.program):
        claim = gradient(attempt(posted, ()))
    output = posted.namespace.get(posted.claim.output)
    if claim is None or not isinstance(output, Tensor):
        return None
    for (first, x), (_, w) in _pairs(posted):
        operation = get(f"conv{x.dim() - 2}d")
        for options in _fitting(operation, x, w, output.detach()):
            operands = {"input": x.double(), "weight": w.double()}
            dy = posted.grad_output.double().reshape(operation.forward(operands, options).shape)
            claims = {"input" if first == posted.claim.name else "weight": (posted.claim.name, claim)}
            return Example(operation.name, options, operands, dy, claims, "your sizes").plain()
    return None


_Named = tuple[str, Tensor]


def _pairs(posted: World) -> Iterator[tuple[_Named, _Named]]:
    """(input, weight): any two images of which the claim's variable is one."""
    images = [
        (name, value.detach())
        for name, value in posted.namespace.items()
        if isinstance(value, Tensor)
        and 3 <= value.dim() <= 5
        and value.is_floating_point()
        and value.numel() < _LARGEST
    ]
    for first, second in product(images, images):
        if first[1].dim() == second[1].dim() and posted.claim.name in (first[0], second[0]) and first[0] != second[0]:
            yield first, second


def _fitting(operation: Operation, x: Tensor, w: Tensor, output: Tensor) -> Iterator[dict[str, Any]]:
    """The settings with which this input and weight give this output, whatever its shape."""
    if x.shape[1] % w.shape[1] or w.shape[0] % (x.shape[1] // w.shape[1]):
        return
    for stride, padding, dilation in _SETTINGS:
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": x.shape[1] // w.shape[1]}
        try:
            y = operation.forward({"input": x, "weight": w}, options)
        except RuntimeError:  # the kernel does not fit
            continue
        if y.numel() == output.numel() and torch.allclose(
            y.reshape(output.shape), output.to(y.dtype), rtol=1e-4, atol=1e-5
        ):
            yield options
