"""Maximum and average pooling in one to three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ._law import Axis
from .operation import Known, Operation, Options, Roles, Setting
from .pooling_slips import Pooling, pooling_slips, tied

_MAX: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVG: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _conventions(dims: int, known: Known) -> Iterator[Tensor]:
    """At ties: the last maximum instead of the first, or equal parts for all."""
    this = Pooling(known, _axes(dims, known), True)
    ties = tied(this)
    flat = ties.flatten(2, 1 + dims)
    yield this.gradient(known.g)
    yield this.gradient(known.g, shares=(flat / flat.sum(2, keepdim=True)).reshape(ties.shape))
    last = flat.flip(2).cumsum(2).flip(2) == 1
    yield this.gradient(known.g, shares=(flat * last).reshape(ties.shape))


def _axes(dims: int, known: Known) -> tuple[Axis, ...]:
    kernel, stride, padding, dilation = (_per_axis(known.options, key, dims) for key in _KEYS)
    sizes = zip(known.input.shape[-dims:], known.output.shape[-dims:], strict=True)
    return tuple(Axis(i, kernel[a], o, stride[a], dilation[a], padding[a]) for a, (i, o) in enumerate(sizes))


_KEYS = ("kernel_size", "stride", "padding", "dilation")
_PLAIN = {"padding": 0, "dilation": 1}


def _per_axis(options: Options, key: str, dims: int) -> tuple[int, ...]:
    value = options.get(key)
    if value is None:
        value = options["kernel_size"] if key == "stride" else _PLAIN[key]
    return (value,) * dims if isinstance(value, int) else tuple(value)


_SETTINGS: dict[int, list[tuple[str, tuple[int, ...], Any, Any, Any]]] = {
    1: [("R1", (3, 2, 11), 3, 2, 1), ("R2", (2, 3, 9), 2, 2, 0), ("overlap", (2, 3, 13), 4, 1, 0)],
    2: [
        ("R1", (3, 2, 10, 14), (4, 3), (3, 2), (2, 1)),
        ("R2", (2, 3, 9, 7), (2, 3), (2, 3), 0),
        ("overlap", (2, 3, 6, 9), (3, 2), (1, 1), (1, 0)),
        ("plain", (4, 2, 6, 8), 2, 2, 0),  # what most people use it for
        ("square", (3, 2, 7, 7), 3, 2, 0),
    ],
    3: [("R1", (2, 2, 5, 6, 7), (2, 3, 2), (2, 1, 2), (1, 0, 1)), ("R2", (1, 3, 4, 6, 5), 2, 2, 0)],
}


def _settings(dims: int, is_max: bool) -> list[Setting]:
    settings = [
        Setting(
            name, {"input": size}, {"kernel_size": kernel, "stride": stride, "padding": padding}, {"input": "distinct"}
        )
        for name, size, kernel, stride, padding in _SETTINGS[dims]
    ]
    if is_max:
        size = _SETTINGS[dims][1][1]
        settings.append(
            Setting("ties", {"input": size}, {"kernel_size": 2, "stride": 2, "padding": 0}, {"input": "ties"})
        )
    return settings


def _guesses(dims: int, roles: Roles, output: Tensor) -> Iterator[Options]:
    x = roles["input"]
    if x.dim() != output.dim() or x.dim() != dims + 2 or x.shape[:2] != output.shape[:2] or x.shape == output.shape:
        return
    axes = [
        [
            (kernel, stride, padding)
            for kernel, stride, padding in product(range(2, min(size, 5) + 1), range(1, 5), range(3))
            if padding <= kernel // 2 and (size + 2 * padding - kernel) // stride + 1 == out
        ]
        for size, out in zip(x.shape[2:], output.shape[2:], strict=True)
    ]
    for chosen in sorted(product(*axes), key=lambda chosen: (len(set(chosen)), [k != s for k, s, _ in chosen], chosen)):
        kernel, stride, padding = (tuple(column) for column in zip(*chosen, strict=True))
        yield {"kernel_size": kernel, "stride": stride, "padding": padding}


def _operation(dims: int, is_max: bool) -> Operation:
    function = (_MAX if is_max else _AVG)[dims]
    return Operation(
        f"{'max' if is_max else 'avg'}_pool{dims}d",
        ("input",),
        lambda roles, options: function(roles["input"], **options),
        partial(_settings, dims, is_max),
        partial(_guesses, dims),
        dims,
        slips=lambda known: pooling_slips(Pooling(known, _axes(dims, known), is_max)),
        conventions=partial(_conventions, dims) if is_max else lambda _: iter(()),
    )


OPERATIONS = tuple(_operation(dims, is_max) for is_max in (True, False) for dims in (2, 1, 3))
