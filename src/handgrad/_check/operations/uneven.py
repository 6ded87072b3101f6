"""Convolutions with more padding on one side: causal ones, and 'same' as TensorFlow pads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards
from ._convolution import Convolution
from ._law import Axis
from .convolution_slips import conv_slips
from .operation import Known, Operation, Options, Roles, Setting

_FORWARD = {1: F.conv1d, 2: F.conv2d}
_MOST = 6  # padding of an axis, both sides together


def _forward(dims: int, roles: Roles, options: Options) -> Tensor:
    pads = [pad for pair in reversed(options["padding"]) for pad in pair]  # the last axis first
    rest = {key: options[key] for key in ("stride", "dilation")}
    return _FORWARD[dims](F.pad(roles["input"], pads), roles["weight"], roles.get("bias"), **rest)


def _slips(known: Known) -> Backwards:
    x, w, y = known.input, known.tensors["weight"], known.output
    axes = tuple(
        Axis(x.shape[2 + i], w.shape[2 + i], y.shape[2 + i], stride, dilation, low, high=high)
        for i, (stride, dilation, (low, high)) in enumerate(
            zip(known.options["stride"], known.options["dilation"], known.options["padding"], strict=True)
        )
    )
    return conv_slips(Convolution(known, axes, 1, False))


def _guesses(dims: int, roles: Roles, output: Tensor) -> Iterator[Options]:
    """One stride and one dilation for all axes, and paddings that differ on at least one, the smallest first."""
    x, w = roles["input"], roles["weight"]
    if not x.dim() == w.dim() == output.dim() == dims + 2 or (x.shape[1], output.shape[1]) != (w.shape[1], w.shape[0]):
        return
    sizes = list(zip(x.shape[2:], w.shape[2:], output.shape[2:], strict=True))
    for stride, dilation in product(range(1, 3), repeat=2):
        pairs = [_pads(stride, dilation, *axis) for axis in sizes]
        for pads in sorted(product(*pairs), key=lambda pads: sum(map(sum, pads))):
            if any(low != high for low, high in pads):
                yield {"stride": (stride,) * dims, "padding": pads, "dilation": (dilation,) * dims}


def _pads(stride: int, dilation: int, size: int, kernel: int, output: int) -> list[tuple[int, int]]:
    span = dilation * (kernel - 1) + 1
    return [
        (low, total - low)
        for total in range(_MOST + 1)
        for low in range(total + 1)
        if size + total >= span and (size + total - span) // stride + 1 == output and max(low, total - low) < span
    ]


def _settings(dims: int) -> list[Setting]:
    return [
        _setting("causal", dims, (3, 2, 4), 9, 3, 1, (2, 0)),
        _setting("causal 4", dims, (2, 3, 2), 7, 4, 1, (3, 0)),
        _setting("same", dims, (2, 3, 4), 10, 4, 2, (2, 1)),  # with a remainder
    ]


def _setting(
    name: str, dims: int, channels: tuple[int, int, int], size: int, kernel: int, stride: int, pads: tuple[int, int]
) -> Setting:
    N, C, O = channels
    sizes = {"input": (N, C, *range(size, size + dims)), "weight": (O, C, *[kernel] * dims), "bias": (O,)}
    return Setting(name, sizes, {"stride": (stride,) * dims, "padding": (pads,) * dims, "dilation": (1,) * dims})


OPERATIONS = tuple(
    Operation(
        f"uneven_conv{dims}d",
        ("input", "weight", "bias"),
        partial(_forward, dims),
        partial(_settings, dims),
        partial(_guesses, dims),
        dims,
        required=2,
        slips=_slips,
    )
    for dims in (1, 2)
)
