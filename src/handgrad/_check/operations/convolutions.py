"""Convolutions and transposed convolutions in one to three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards
from ._convolution import Convolution
from ._law import Axis
from .convolution_slips import conv_slips
from .operation import Known, Operation, Options, Roles, Setting

_FORWARD: dict[tuple[int, bool], Callable[..., Tensor]] = {
    (1, False): F.conv1d,
    (2, False): F.conv2d,
    (3, False): F.conv3d,
    (1, True): F.conv_transpose1d,
    (2, True): F.conv_transpose2d,
    (3, True): F.conv_transpose3d,
}


def per_axis(value: Any, dims: int) -> tuple[int, ...]:
    """An option as one int for each axis."""
    return (value,) * dims if isinstance(value, int) else tuple(value)


def _operation(dims: int, transposed: bool) -> Operation:
    function = _FORWARD[dims, transposed]

    def forward(roles: Roles, options: Options) -> Tensor:
        bias = roles.get("bias")
        if bias is not None and bias.dim() > 1:  # one for each place of the output
            return function(roles["input"], roles["weight"], **options) + bias
        return function(roles["input"], roles["weight"], bias, **options)

    def settings() -> list[Setting]:
        return _settings(dims, transposed)

    def guesses(roles: Roles, output: Tensor) -> Iterator[Options]:
        return _guesses(dims, transposed, roles, output)

    def slips(known: Known) -> Backwards:
        return conv_slips(_convolution(dims, transposed, known))

    name = f"conv{'_transpose' if transposed else ''}{dims}d"
    return Operation(name, ("input", "weight", "bias"), forward, settings, guesses, dims, required=2, slips=slips)


def _convolution(dims: int, transposed: bool, known: Known) -> Convolution:
    """The law's numbers of one draw; of a transposed convolution, those of the convolution it turns around."""
    grids = (known.output, known.input) if transposed else (known.input, known.output)
    options = {key: per_axis(known.options.get(key, 1), dims) for key in ("stride", "dilation")}
    low = per_axis(known.options.get("padding", 0), dims)
    axes = tuple(
        Axis(
            grids[0].shape[2 + i], known.tensors["weight"].shape[2 + i], grids[1].shape[2 + i], stride, dilation, low[i]
        )
        for i, (stride, dilation) in enumerate(zip(options["stride"], options["dilation"], strict=True))
    )
    return Convolution(known, axes, known.options.get("groups", 1), transposed)


# N, C, O, image, kernel, stride, padding, dilation, groups; the reason
_CONV2D: dict[str, tuple[Any, ...]] = {
    "R1": (6, 2, 5, (10, 14), (4, 3), (3, 2), (2, 1), (2, 1), 1),  # everything differs, the stride leaves a remainder
    "R2": (4, 3, 2, (9, 7), (2, 3), (1, 2), (0, 0), (1, 2), 1),  # no padding, stride and dilation on the same axis
    "R3": (2, 3, 4, (6, 9), (3, 2), (1, 1), (1, 0), (1, 1), 1),  # stride 1: what is left is the kernel's doing
    "R4": (2, 3, 4, (8, 11), (3, 3), (2, 1), (1, 2), (1, 1), 1),  # a square kernel hides its axes, not its flip
    "groups 2": (3, 4, 6, (7, 9), (3, 2), (1, 2), (1, 0), (1, 1), 2),
    "depthwise": (3, 3, 6, (8, 7), (3, 3), (2, 1), (1, 1), (1, 1), 3),  # with multiplier 2
    "row kernel": (2, 3, 5, (6, 9), (1, 4), (1, 1), (0, 1), (1, 1), 1),  # kh = 1
    "square": (3, 4, 4, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1), 1),  # C = O: exchanged channels run
}
_CONV1D = {
    "R1": (6, 2, 5, (13,), (4,), (3,), (2,), (2,), 1),
    "R2": (4, 3, 2, (9,), (3,), (1,), (0,), (2,), 1),
    "R3": (2, 3, 4, (12,), (3,), (2,), (1,), (1,), 1),  # a remainder with padding and without
    "groups 2": (3, 4, 6, (9,), (3,), (2,), (1,), (1,), 2),
    "square": (3, 4, 4, (8,), (3,), (1,), (1,), (1,), 1),
}
_CONV3D = {
    "R1": (3, 2, 5, (7, 8, 9), (3, 2, 2), (2, 3, 1), (1, 0, 1), (1, 2, 1), 1),
    "R2": (2, 3, 2, (5, 6, 4), (2, 3, 1), (1, 2, 1), (0, 1, 0), (1, 1, 2), 1),
    "groups 2": (2, 4, 2, (4, 5, 6), (3, 2, 2), (1, 1, 2), (1, 0, 1), (1, 1, 1), 2),
}
_TABLES = {1: _CONV1D, 2: _CONV2D, 3: _CONV3D}


def _settings(dims: int, transposed: bool) -> list[Setting]:
    return [_setting(name, transposed, *row) for name, row in _TABLES[dims].items()]


def _setting(
    name: str,
    transposed: bool,
    N: int,
    C: int,
    O: int,
    image: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Setting:
    weight = (C, O // groups, *kernel) if transposed else (O, C // groups, *kernel)
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    if groups > 1:
        options["groups"] = groups
    return Setting(name, {"input": (N, C, *image), "weight": weight, "bias": (O,)}, options)


def _guesses(dims: int, transposed: bool, roles: Roles, output: Tensor) -> Iterator[Options]:
    """Every stride, padding, dilation and groups with which the sizes fit, the plain ones first."""
    x, w = roles["input"], roles["weight"]
    if not x.dim() == w.dim() == output.dim() == dims + 2 or x.shape[0] != output.shape[0]:
        return
    channels, blocks = (output.shape[1], w.shape[1]) if transposed else (x.shape[1], w.shape[1])
    groups = channels // blocks if blocks and channels % blocks == 0 else 0
    if not groups or w.shape[0] != (x.shape[1] if transposed else output.shape[1]):
        return
    axes = [_axis_guesses(transposed, *sizes) for sizes in zip(x.shape[2:], w.shape[2:], output.shape[2:], strict=True)]
    for chosen in sorted(product(*axes), key=_plainness):
        stride, padding, dilation, extra = (tuple(column) for column in zip(*chosen, strict=True))
        options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        yield options | ({"output_padding": extra} if any(extra) else {})


def _axis_guesses(transposed: bool, size: int, kernel: int, output: int) -> list[tuple[int, int, int, int]]:
    found = []
    for stride, padding, dilation in product(range(1, 4), range(4), range(1, 4 if kernel > 1 else 2)):
        span = dilation * (kernel - 1) + 1
        if transposed:
            extra = output - ((size - 1) * stride - 2 * padding + span)
            fits = 0 <= extra < max(stride, dilation)
        else:
            extra, fits = 0, size + 2 * padding >= span and (size + 2 * padding - span) // stride + 1 == output
        if fits:
            found.append((stride, padding, dilation, extra))
    return found


def _plainness(chosen: tuple[tuple[int, int, int, int], ...]) -> tuple[int, int]:
    """Axes that agree first, then small numbers."""
    return len(set(chosen)), prod(1 + sum(axis) for axis in chosen)


OPERATIONS = tuple(_operation(dims, transposed) for transposed in (False, True) for dims in (2, 1, 3))
