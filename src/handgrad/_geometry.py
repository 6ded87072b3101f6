"""The one law of convolution, and the numbers that it ties together.

    input position = output position · stride + kernel position · dilation − padding_low

A `ConvGeometry` holds those numbers and no tensor. It stores both grids, because neither determines the other: a
stride that does not divide leaves input rows unread, and a transposed convolution's `output_padding` appends some.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from operator import index
from typing import Any

from ._errors import HandgradError, error

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


_LARGEST = 2**31 - 1  # beyond it positions would overflow what a tensor can address


@dataclass(frozen=True)
class ConvGeometry:
    """Everything about a convolution but its tensors; one entry a spatial dimension, `padding` as (low, high).

    The algorithms read it: `input` and `output` are the two grids (I and L), `kernel` the taps (K).
    """

    input: Ints
    output: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    padding: Pairs
    groups: int

    @property
    def dims(self) -> int:
        """1, 2 or 3."""
        return len(self.input)

    @property
    def padded(self) -> Ints:
        """The input grid with its padding."""
        return tuple(low + size + high for size, (low, high) in zip(self.input, self.padding, strict=True))

    def taps(self) -> Iterator[Ints]:
        """Every kernel position, the last axis fastest."""
        return itertools.product(*map(range, self.kernel))

    def seen_by(self, tap: Ints) -> tuple[slice, ...]:
        """The law: where on the padded input one kernel position meets each of the output positions."""
        return tuple(
            slice(k * d, k * d + s * (length - 1) + 1, s)
            for k, d, s, length in zip(tap, self.dilation, self.stride, self.output, strict=True)
        )


def spans(kernel: Ints, dilation: Ints) -> Ints:
    """How many positions a dilated kernel covers: d·(K − 1) + 1."""
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))


@lru_cache(maxsize=1024)
def conv_geometry(
    op: str, input: Ints, kernel: Ints, stride: object, padding: object, dilation: object, groups: int
) -> ConvGeometry:
    """The geometry of a convolution from the arguments as the user gave them (sequences as tuples).

    Raises HandgradError, worded for `op`, where a number cannot be.
    """
    dims = len(input)
    step, spread = per_dim(op, "stride", stride, dims, 1), per_dim(op, "dilation", dilation, dims, 1)
    span = spans(kernel, spread)
    pads = _same(op, step, span) if padding == "same" else _pairs(op, padding, dims)
    room = tuple(size + low + high for size, (low, high) in zip(input, pads, strict=True))
    if any(r < s for r, s in zip(room, span, strict=True)):
        raise error(
            op,
            "the kernel is larger than the padded input",
            input=(input, f"padded {room}"),
            kernel=(kernel, f"dilation {spread}, covers {span}"),
            needed="dilation · (kernel − 1) + 1 ≤ input + padding, in every dimension",
        )
    output = tuple((r - s) // t + 1 for r, s, t in zip(room, span, step, strict=True))
    return the_one(input, output, kernel, step, spread, pads, groups)


@lru_cache(maxsize=1024)
def transpose_geometry(
    op: str,
    input: Ints,
    kernel: Ints,
    stride: object,
    padding: object,
    output_padding: object,
    dilation: object,
    groups: int,
) -> ConvGeometry:
    """The geometry of the convolution that a transposed one runs backwards: its `output` is the given `input`."""
    dims = len(input)
    step, spread = per_dim(op, "stride", stride, dims, 1), per_dim(op, "dilation", dilation, dims, 1)
    extra = per_dim(op, "output_padding", output_padding, dims, 0)
    if isinstance(padding, str):
        raise error(op, f"padding {padding!r} has no meaning for a transposed convolution, give numbers")
    pads = _pairs(op, padding, dims)
    if any(e >= max(s, d) for e, s, d in zip(extra, step, spread, strict=True)):
        raise error(
            op,
            "output_padding must be smaller than the stride or the dilation",
            output_padding=extra,
            stride=step,
            dilation=spread,
            needed="output_padding < max(stride, dilation), in every dimension",
        )
    span = spans(kernel, spread)
    output = tuple(
        (size - 1) * s - low - high + covers + e
        for size, s, (low, high), covers, e in zip(input, step, pads, span, extra, strict=True)
    )
    if min(output) < 1:
        raise error(
            op,
            "the padding crops the whole output away",
            input=input,
            padding=pads,
            output=(
                output,
                "(input − 1) · stride − low − high + dilation · (kernel − 1) + 1 + output_padding",
            ),
        )
    return the_one(output, input, kernel, step, spread, pads, groups)


@lru_cache(maxsize=1024)
def the_one(*fields: Any) -> ConvGeometry:
    """Equal ones are the same: as a key it is found by its identity."""
    return ConvGeometry(*fields)


@dataclass(frozen=True, repr=False)
class _Odd:
    """What is no integer: equal to none, as 1.0 would be to 1, and printed as it was."""

    text: str

    def __repr__(self) -> str:
        return self.text


def frozen(value: object) -> object:
    """A key for a cache: integers as ints, what can be iterated as a tuple, all the way down, anything else as odd."""
    if isinstance(value, str) or type(value) is int:
        return value
    converts: tuple[Callable[[Any], object], ...] = (index, lambda entries: tuple(map(frozen, entries)))
    for convert in converts:
        try:
            return convert(value)
        except TypeError:
            continue
    return _Odd(repr(value))


def per_dim(op: str, name: str, value: object, dims: int, least: int) -> Ints:
    """One int a dimension from an int, one int in a sequence, or `dims` of them; none below `least`."""
    entries = value if isinstance(value, tuple) else (value,)
    try:
        ints = tuple(index(entry) for entry in entries)
    except TypeError:
        ints = ()
    if len(ints) not in (1, dims):
        raise error(op, f"{name} must be an int or a sequence of {dims}", **{name: (value, "")})
    if min(ints) < least:
        raise error(op, f"{name} must be at least {least}", **{name: (value, "")})
    if max(ints) > _LARGEST:
        raise error(op, f"{name} must be at most {_LARGEST}", **{name: (value, "")})
    return ints * (dims // len(ints))


def _pairs(op: str, padding: object, dims: int) -> Pairs:
    """Padding as (low, high) a dimension, from 'valid', an int, ints, or such pairs."""
    if isinstance(padding, str) and padding != "valid":
        raise error(op, f"unknown padding {padding!r}", known="'valid', 'same', an int, ints, or (low, high) pairs")
    entries = (0,) if padding == "valid" else padding if isinstance(padding, tuple) else (padding,)
    if any(isinstance(entry, tuple) for entry in entries):
        if len(entries) != dims or not all(isinstance(e, tuple) and len(e) == 2 for e in entries):
            raise error(op, f"padding in pairs needs {dims} of (low, high), one a dimension", padding=(padding, ""))
        ends = (per_dim(op, "padding", pair, 2, 0) for pair in entries)
        return tuple((low, high) for low, high in ends)
    try:
        return tuple((end, end) for end in per_dim(op, "padding", padding if padding != "valid" else 0, dims, 0))
    except HandgradError as problem:
        if dims == 1 and len(entries) == 2:
            raise error(
                op,
                "padding must be an int or a sequence of 1",
                f"one side each? padding=({padding},)",
                padding=(padding, ""),
            ) from None
        raise problem


def _same(op: str, stride: Ints, span: Ints) -> Pairs:
    """Padding that keeps the size: the low side gets the smaller half of d·(K − 1)."""
    if prod(stride) != 1:
        raise error(op, "padding 'same' needs stride 1", stride=stride)
    return tuple(((covers - 1) // 2, (covers - 1) - (covers - 1) // 2) for covers in span)
