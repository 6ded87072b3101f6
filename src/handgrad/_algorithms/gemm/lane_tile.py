"""Register tiles in which every lane of a vector is a channel that stands alone, and the way into the lanes and out.

A channel that meets no other is no product of matrices. But neighbouring channels do the same with other numbers, so a
vector holds one position of as many channels as it has lanes, and all of `tile.py`'s trouble with short rows is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .machine import Kind
from .tile import accumulate, fma_of, integer, scalar_of, vector_of

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _at(builder: ir.IRBuilder, address: ir.Value, kind: Kind) -> ir.Value:
    return builder.inttoptr(address, vector_of(kind).as_pointer())


def _entry(builder: ir.IRBuilder, table: ir.Value, index: ir.Value) -> ir.Value:
    return builder.sext(builder.load(builder.gep(table, [index])), _I64)


def window_tile(kind: Kind, forms: Sequence[tuple[int, int]], most: int) -> Any:
    """tile(form, positions, count, w, w_step, b, table, step, c, c_step, start) for 1 … `most` positions:

        C[v] = start + Σ_k Σ_t W[k, t] · B[k, v·stride + t]      v < positions, t < taps; taps and stride: the form

    Every number is a vector. Entry k of the table, two int32, says how many bytes after b and w these begin; W's taps
    are `w_step` bytes apart, C's vectors `c_step`. Each vector of B is read once for all the taps that meet it. A form
    of stride 0 has one tap, and `step` bytes are the stride.
    """
    cases = [(form, positions) for form in forms for positions in range(1, most + 1)]

    @intrinsic
    def tile(
        typingctx: Any, form: Any, positions: Any, count: Any, w: Any, w_step: Any, b: Any, table: Any, step: Any,
        c: Any, c_step: Any, start: Any,
    ) -> Any:  # fmt: skip
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            form, positions, *operands = args
            chosen = builder.sub(builder.add(builder.mul(form, integer(most)), positions), integer(1))
            for (taps, stride), size in _each_of(builder, chosen, cases):
                _windows(builder, kind, size, taps, stride, *operands)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 11), emit

    return tile


def _windows(
    builder: ir.IRBuilder, kind: Kind, positions: int, taps: int, stride: int,
    count: ir.Value, w: ir.Value, w_step: ir.Value, b: ir.Value, table: ir.Value, step: ir.Value,
    c: ir.Value, c_step: ir.Value, start: ir.Value,
) -> None:  # fmt: skip
    V = kind.size * kind.width
    pairs = builder.inttoptr(table, _I32.as_pointer())
    reached = sorted({v * (stride or 1) + t for v in range(positions) for t in range(taps)})
    apart = [integer(j * V) if stride else builder.mul(step, integer(j)) for j in reached]
    fma = fma_of(builder, kind)

    def add(k: ir.Value, held: Sequence[ir.Value]) -> list[ir.Value]:
        pair = builder.shl(k, integer(1))
        window = builder.add(b, _entry(builder, pairs, pair))
        weight = builder.add(w, _entry(builder, pairs, builder.add(pair, integer(1))))
        places = [builder.add(weight, builder.mul(w_step, integer(t))) for t in range(taps)]
        row = [builder.load(_at(builder, place, kind)) for place in places]
        new = list(held)
        for j, distance in zip(reached, apart, strict=True):
            one = builder.load(_at(builder, builder.add(window, distance), kind))
            for t, tap in enumerate(row):
                v, rest = divmod(j - t, stride or 1)
                if rest == 0 and 0 <= v < positions:
                    new[v] = fma(tap, one, new[v])
        return new

    sums = accumulate(builder, count, [builder.load(_at(builder, start, kind))] * positions, add)
    for v, sum_ in enumerate(sums):
        builder.store(sum_, _at(builder, builder.add(c, builder.mul(c_step, integer(v))), kind))


def meeting_tile(kind: Kind, most: int) -> Any:
    """tile(taps, count, a, b, table, step, c): C[k] += Σ_q A[q] · B[k, q] for k < taps and q < count; 1 … `most` taps.

    Every number is a vector. Entry k of the table says how many bytes after b and c these begin; B's vectors are `step`
    bytes apart, A's follow each other.
    """

    @intrinsic
    def tile(typingctx: Any, taps: Any, count: Any, a: Any, b: Any, table: Any, step: Any, c: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            taps, *operands = args
            for size in _each_of(builder, builder.sub(taps, integer(1)), range(1, most + 1)):
                _meetings(builder, kind, size, *operands)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7), emit

    return tile


def _meetings(
    builder: ir.IRBuilder, kind: Kind, taps: int,
    count: ir.Value, a: ir.Value, b: ir.Value, table: ir.Value, step: ir.Value, c: ir.Value,
) -> None:  # fmt: skip
    pairs = builder.inttoptr(table, _I32.as_pointer())
    places = [builder.add(b, _entry(builder, pairs, integer(2 * k))) for k in range(taps)]
    fma = fma_of(builder, kind)

    def add(q: ir.Value, held: Sequence[ir.Value]) -> list[ir.Value]:
        one = builder.load(_at(builder, builder.add(a, builder.mul(q, integer(kind.size * kind.width))), kind))
        along = builder.mul(q, step)
        windows = [builder.load(_at(builder, builder.add(place, along), kind)) for place in places]
        return [fma(one, window, sum_) for window, sum_ in zip(windows, held, strict=True)]

    zero = ir.Constant(vector_of(kind), [0.0] * kind.width)
    for k, sum_ in enumerate(accumulate(builder, count, [zero] * taps, add)):
        to = _at(builder, builder.add(c, _entry(builder, pairs, integer(2 * k + 1))), kind)
        builder.store(builder.fadd(builder.load(to), sum_), to)


def _each_of(builder: ir.IRBuilder, chosen: ir.Value, cases: Sequence[Any]) -> Iterator[Any]:
    """One jump to the code of the chosen case, which is emitted while the case is held; all of them meet again."""
    after = builder.append_basic_block("chosen")
    jump = builder.switch(chosen, after)
    for number, case in enumerate(cases):
        block = builder.append_basic_block("case")
        jump.add_case(integer(number), block)
        builder.position_at_end(block)
        yield case
        builder.branch(after)
    builder.position_at_end(after)


def weaver(kind: Kind) -> Any:
    """weave(to, source, lane): half a vector of neighbours from each of `width` channels → as many vectors of lanes.

    `lane` is how many bytes channels are apart. A block of half as many columns as lanes takes short rows well, and its
    shuffles stay within halves of a vector.
    """
    width, half = kind.width, kind.width // 2
    part = ir.VectorType(scalar_of(kind), half)

    @intrinsic
    def weave(typingctx: Any, to: Any, source: Any, lane: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            to, source, lane = args
            places = [builder.add(source, builder.mul(lane, integer(i))) for i in range(width)]
            parts = [builder.load(builder.inttoptr(at, part.as_pointer()), align=kind.size) for at in places]
            whole = _lanes(list(range(width)))
            rows = [builder.shuffle_vector(parts[i], parts[i + half], whole) for i in range(half)]
            for i, column in enumerate(_turned(builder, rows, half)):
                builder.store(column, _at(builder, builder.add(to, integer(i * width * kind.size)), kind))
            return context.get_dummy_value()

        return types.void(*[types.intp] * 3), emit

    return weave


def unweaver(kind: Kind) -> Any:
    """unweave(to, lane, source): the reverse of `weave`."""
    width, half = kind.width, kind.width // 2
    part = ir.VectorType(scalar_of(kind), half)

    @intrinsic
    def unweave(typingctx: Any, to: Any, lane: Any, source: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            to, lane, source = args
            places = [builder.add(source, integer(i * width * kind.size)) for i in range(half)]
            rows = _turned(builder, [builder.load(_at(builder, place, kind)) for place in places], half)
            for i in range(width):
                low = i // half * half
                piece = builder.shuffle_vector(rows[i % half], rows[i % half], _lanes(list(range(low, low + half))))
                at = builder.inttoptr(builder.add(to, builder.mul(lane, integer(i))), part.as_pointer())
                builder.store(piece, at, align=kind.size)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 3), emit

    return unweave


def _lanes(numbers: list[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_I32, len(numbers)), numbers)


def _turned(builder: ir.IRBuilder, rows: list[ir.Value], half: int) -> list[ir.Value]:
    """Both halves of `half` vectors transposed, each for itself: interleaving turns one bit of lane into one of row."""
    width, middle = 2 * half, half // 2
    masks = [
        _lanes([part + start + i // 2 + (i % 2) * width for part in (0, half) for i in range(half)])
        for start in (0, middle)
    ]
    for _ in range(half.bit_length() - 1):
        pairs = [(rows[i], rows[i + middle]) for i in range(middle)]
        rows = [builder.shuffle_vector(a, b, mask) for a, b in pairs for mask in masks]
    return rows
