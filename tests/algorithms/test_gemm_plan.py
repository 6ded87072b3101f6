"""What a pass reads for each position, against the law tried out on every position, tap and output."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from handgrad._algorithms.gemm.plan import Axis, backward_axes, evenly, forward_axes, reaches_all
from handgrad._geometry import ConvGeometry

Reads = dict[int, set[tuple[int, int]]]  # a position → the (tap, position of the source) that it reads


def lines(count: int = 500) -> list[ConvGeometry]:
    """Of one dimension, and small enough to try everything."""
    random, found = Random(0), []
    for _ in range(count):
        kernel, stride, dilation = random.randint(1, 5), random.randint(1, 6), random.randint(1, 4)
        low, high, span = random.randint(0, 7), random.randint(0, 7), dilation * (kernel - 1) + 1
        size = random.randint(max(1, span - low - high), 20)
        length = random.randint(1, (size + low + high - span) // stride + 1)
        found.append(ConvGeometry((size,), (length,), (kernel,), (stride,), (dilation,), ((low, high),), 1))
    return found


def by_the_law(geometry: ConvGeometry, of: str) -> Reads:
    """Each output position with the input it sees, or each input position with the outputs that see it."""
    (size,), (length,), (kernel,) = geometry.input, geometry.output, geometry.kernel
    reads: Reads = {position: set() for position in range(length if of == "output" else size)}
    for p, k in itertools.product(range(length), range(kernel)):
        i = p * geometry.stride[0] + k * geometry.dilation[0] - geometry.padding[0][0]
        if 0 <= i < size:
            reads[p if of == "output" else i].add((k, i if of == "output" else p))
    return reads


def by_axis(axis: Axis) -> Reads:
    """What one axis of a pass says."""
    taps = list(zip(axis.taps, axis.at, strict=True))
    return {
        q * axis.ostep + axis.obase: {(k, i) for k, at in taps if 0 <= (i := q * axis.step + at) < axis.size}
        for q in range(axis.count)
    }


def test_forward_every_output_reads_its_window() -> None:
    for geometry in lines():
        assert by_axis(forward_axes(geometry)[2]) == by_the_law(geometry, "output"), geometry


def test_backward_every_input_is_in_one_class_and_reads_who_saw_it() -> None:
    for geometry in lines():
        classes = [by_axis(width) for _, _, width in backward_axes(geometry)]
        positions = [position for one in classes for position in one]
        truth, found = by_the_law(geometry, "input"), {key: pairs for one in classes for key, pairs in one.items()}
        assert len(positions) == len(found), geometry
        assert all(pairs == found.get(i, set()) for i, pairs in truth.items()), geometry
        assert found.keys() <= truth.keys(), geometry
        assert reaches_all(geometry) == (len(found) == len(truth)), geometry


def test_no_inserted_zero_is_read() -> None:
    """At stride s a position of dx is reached by a tap in s: so many are read, and not one between them."""
    geometry = ConvGeometry((64,), (32,), (4,), (2,), (1,), ((1, 1),), 1)
    assert [axis.at for _, _, axis in backward_axes(geometry)] == [(0, -1), (1, 0)]


def test_a_tap_is_a_shift_in_one_phase() -> None:
    for geometry in lines(100):
        for axis in (forward_axes(geometry)[2], *(width for _, _, width in backward_axes(geometry))):
            phases = [at - shift * axis.step for at, shift in zip(axis.at, axis.shifts, strict=True)]
            assert axis.phases == tuple(sorted(set(phases)))
            assert all(0 <= phase < axis.step for phase in phases)
            assert axis.span == max(axis.shifts) - min(axis.shifts)


def test_the_zeros_that_lines_share_are_zeros_of_both() -> None:
    """Line after line, each `count + span − shared` long: nobody reads an element of another line."""
    for geometry in lines():
        for axis in (forward_axes(geometry)[2], *(width for _, _, width in backward_axes(geometry))):
            length = axis.count + axis.span
            for phase in axis.phases:
                places = [(j + axis.low) * axis.step + phase for j in range(length)]
                outside = [not 0 <= place < axis.size for place in places]
                assert all(outside[: axis.shared]), geometry
                assert all(outside[length - axis.shared :]), geometry


def test_dimensions_are_classes_of_their_own() -> None:
    """In three dimensions a class is one of each axis, and all of them come."""
    geometry = ConvGeometry((5, 6, 7), (2, 2, 7), (3, 2, 3), (2, 3, 1), (1, 1, 1), ((0, 0), (0, 0), (1, 1)), 1)
    bases = [tuple(axis.obase for axis in axes) for axes in backward_axes(geometry)]
    assert bases == [(d, h, 0) for d in range(2) for h in range(2)]  # rows 2 and 5 of h are seen by no window
    assert not reaches_all(geometry)


@pytest.mark.parametrize("most", [1, 3, 7, 100])
def test_blocks_are_few_and_alike(most: int) -> None:
    for whole in range(1, 60):
        size = evenly(whole, most)
        blocks = -(-whole // size)
        assert size <= most
        assert blocks == -(-whole // most)
        assert size * blocks - whole < blocks  # as small as that many blocks can be
