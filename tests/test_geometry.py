"""The numbers that the law ties together, by counting positions one at a time."""

from __future__ import annotations

import dataclasses
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad._geometry import ConvGeometry, conv_geometry, frozen, per_dim, spans, transpose_geometry


def conv1(size: int, kernel: int, stride: int = 1, padding: Any = 0, dilation: int = 1) -> ConvGeometry:
    return conv_geometry("test", (size,), (kernel,), stride, padding, dilation, 1)


def windows_that_fit(size: int, kernel: int, stride: int, low: int, high: int, dilation: int) -> int:
    """How many steps a window can take until its last tap falls off, by taking them."""
    start, count = -low, 0
    while start + (kernel - 1) * dilation < size + high:
        start, count = start + stride, count + 1
    return count


numbers = {"kernel": (1, 5), "stride": (1, 5), "low": (0, 5), "high": (0, 5), "dilation": (1, 4), "spare": (0, 6)}


@given(st.fixed_dictionaries({name: st.integers(*bounds) for name, bounds in numbers.items()}))
def test_output_size_is_the_number_of_windows_that_fit(n: dict[str, int]) -> None:
    size = max(1, n["dilation"] * (n["kernel"] - 1) + 1 - n["low"] - n["high"]) + n["spare"]
    geometry = conv1(size, n["kernel"], n["stride"], ((n["low"], n["high"]),), n["dilation"])
    assert geometry.output == (windows_that_fit(size, n["kernel"], n["stride"], n["low"], n["high"], n["dilation"]),)
    assert geometry.padded == (n["low"] + size + n["high"],)


@given(st.fixed_dictionaries({name: st.integers(*bounds) for name, bounds in numbers.items()}))
def test_seen_by_is_the_law(n: dict[str, int]) -> None:
    """One slice a tap, of the padded input: position p · stride + k · dilation, for every p."""
    size = max(1, n["dilation"] * (n["kernel"] - 1) + 1 - n["low"] - n["high"]) + n["spare"]
    geometry = conv1(size, n["kernel"], n["stride"], ((n["low"], n["high"]),), n["dilation"])
    positions = range(geometry.padded[0])
    for (k,) in geometry.taps():
        expected = [p * n["stride"] + k * n["dilation"] for p in range(geometry.output[0])]
        assert list(positions[geometry.seen_by((k,))[0]]) == expected


@given(
    size=st.integers(1, 5), kernel=st.integers(1, 4), stride=st.integers(1, 4), dilation=st.integers(1, 4),
    low=st.integers(0, 3), high=st.integers(0, 3), extra=st.integers(0, 3),
)  # fmt: skip
def test_the_transposed_geometry_is_of_a_convolution_that_comes_back(
    size: int, kernel: int, stride: int, dilation: int, low: int, high: int, extra: int
) -> None:
    """Its output, convolved, has the size that went in; with output_padding below the stride no other size has."""
    extra %= max(stride, dilation)
    if (size - 1) * stride + dilation * (kernel - 1) + 1 + extra - low - high < 1:
        return
    geometry = transpose_geometry("test", (size,), (kernel,), stride, ((low, high),), extra, dilation, 1)
    assert geometry.output == (size,)
    back = conv1(geometry.input[0], kernel, stride, ((low, high),), dilation)
    assert back.output[0] == size + extra // stride
    assert dataclasses.replace(back, output=geometry.output) == geometry


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("padding", "pairs"),
    [
        (0, ((0, 0), (0, 0))),
        (2, ((2, 2), (2, 2))),
        ((3,), ((3, 3), (3, 3))),
        ((1, 2), ((1, 1), (2, 2))),
        (((1, 2), (3, 4)), ((1, 2), (3, 4))),
        ("valid", ((0, 0), (0, 0))),
        ("same", ((1, 2), (2, 2))),  # covers 4 and 5: the low side gets the smaller half of 3 and of 4
    ],
)
def test_padding_in_every_form(padding: Any, pairs: Any) -> None:
    assert conv_geometry("test", (6, 7), (4, 3), 1, padding, (1, 2), 1).padding == pairs


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_keeps_the_size_and_pads_high_first(kernel: int, dilation: int) -> None:
    geometry = conv1(6, kernel, 1, "same", dilation)
    ((low, high),) = geometry.padding
    assert geometry.output == geometry.input
    assert high - low in (0, 1)


def test_both_grids_are_kept_because_neither_follows_from_the_other() -> None:
    assert conv1(7, 3, 2).output == conv1(8, 3, 2).output == (3,)
    assert conv1(7, 3, 2) != conv1(8, 3, 2)
    sizes = {transpose_geometry("test", (3,), (3,), 2, 0, extra, 1, 1).input for extra in (0, 1)}
    assert sizes == {(7,), (8,)}


def test_taps_count_the_last_axis_fastest() -> None:
    geometry = conv_geometry("test", (5, 5), (2, 3), 1, 0, 1, 1)
    assert list(geometry.taps()) == list(product(range(2), range(3)))
    assert geometry.dims == 2


def test_spans() -> None:
    assert spans((3, 1, 2), (2, 5, 4)) == (5, 1, 5)


def test_a_geometry_is_a_key_and_cannot_change() -> None:
    geometry = conv1(7, 3, 2)
    assert {geometry: "found"}[conv1(7, 3, (2,))] == "found"
    with pytest.raises(dataclasses.FrozenInstanceError):
        geometry.stride = (1,)  # type: ignore[misc]
    # Built once: whoever asks again gets the same one.
    assert conv1(7, 3, 2) is geometry


@pytest.mark.parametrize(("value", "expected"), [(2, (2, 2)), ((2,), (2, 2)), ((2, 3), (2, 3))])
def test_one_number_stands_for_every_dimension(value: Any, expected: Any) -> None:
    assert per_dim("test", "stride", value, 2, 1) == expected


def test_frozen_makes_keys_of_sequences() -> None:
    assert frozen([1, [2, 3]]) == (1, (2, 3))
    assert frozen("same") == "same"
    assert repr(frozen(1.5)) == "1.5"
    assert frozen((1, 1.0)) != frozen((1, 1))
    assert hash(frozen([(1, 2), [3, 4]])) == hash(((1, 2), (3, 4)))
