"""The register tile, emitted as LLVM IR: the one place where floating-point numbers are multiplied.

    C[rows, vectors·width]  =  start  +  Σ_k  A[k, rows]ᵀ · B[offset[k] : offset[k] + vectors·width]

A is packed. B is read where it lies: the table `offset` says for each k where its row begins, so a window of an image
is a row of B without having been copied. All accumulators stay in registers over k.

`machine.py` says how wide the host's vectors are and how many registers it has; everything else follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .machine import Kind

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def scalar_of(kind: Kind) -> ir.Type:
    return ir.FloatType() if kind.size == 4 else ir.DoubleType()


def vector_of(kind: Kind) -> ir.VectorType:
    return ir.VectorType(scalar_of(kind), kind.width)


def number_of(kind: Kind) -> types.Type:
    return types.float32 if kind.size == 4 else types.float64


def integer(value: int) -> ir.Constant:
    return ir.Constant(_I64, value)


def _address(builder: ir.IRBuilder, base: ir.Value, element: ir.Value, kind: Kind) -> ir.Value:
    """base + element · size, as a pointer; every address is an integer until here."""
    step = builder.mul(element, integer(kind.size))
    return builder.inttoptr(builder.add(base, step), scalar_of(kind).as_pointer())


def _load(builder: ir.IRBuilder, base: ir.Value, element: ir.Value, kind: Kind) -> ir.Value:
    pointer = builder.bitcast(_address(builder, base, element, kind), vector_of(kind).as_pointer())
    return builder.load(pointer, align=kind.size)


def _store(builder: ir.IRBuilder, value: ir.Value, base: ir.Value, element: ir.Value, kind: Kind) -> None:
    pointer = builder.bitcast(_address(builder, base, element, kind), vector_of(kind).as_pointer())
    builder.store(value, pointer, align=kind.size)


def _spread(builder: ir.IRBuilder, one: ir.Value, kind: Kind) -> ir.Value:
    """A scalar in every lane."""
    empty = ir.Constant(vector_of(kind), ir.Undefined)
    lanes = ir.Constant(ir.VectorType(_I32, kind.width), [0] * kind.width)
    return builder.shuffle_vector(builder.insert_element(empty, one, ir.Constant(_I32, 0)), empty, lanes)


def fma_of(builder: ir.IRBuilder, kind: Kind) -> Callable[[ir.Value, ir.Value, ir.Value], ir.Value]:
    name = f"llvm.fma.v{kind.width}{kind.name}"
    function = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(vector_of(kind), [vector_of(kind)] * 3), name
    )
    return lambda a, b, c: builder.call(function, [a, b, c])


def accumulate(
    builder: ir.IRBuilder,
    count: ir.Value,
    start: Sequence[ir.Value],
    step: Callable[[ir.Value, Sequence[ir.Value]], list[ir.Value]],
) -> list[ir.Value]:
    """A loop over 0 ≤ k < count that carries accumulators in registers; with count 0 they are what they started as."""
    before = builder.block
    loop, after = builder.append_basic_block("k"), builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed(">", count, integer(0)), loop, after)
    builder.position_at_end(loop)
    k = builder.phi(_I64)
    held = [builder.phi(value.type) for value in start]
    new = step(k, held)
    following = builder.add(k, integer(1))
    k.add_incoming(integer(0), before)
    k.add_incoming(following, builder.block)
    for phi, first, later in zip(held, start, new, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    end = builder.block
    builder.position_at_end(after)
    result = [builder.phi(value.type) for value in start]
    for phi, first, later in zip(result, start, new, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, end)
    return result


def product_tile(kind: Kind, rows: int, vectors: int) -> Any:
    """tile(count, a, b, offset, c, ldc, start, adds): the tile of the page's head.

    a, b, c, start are addresses, offset that of an int32 table in elements, ldc the distance of C's rows in elements.
    The sums start from the `rows` numbers at `start`, zeros or a bias; where `adds`, they are added to C.
    """

    @intrinsic
    def tile(typingctx: Any, count: Any, a: Any, b: Any, offset: Any, c: Any, ldc: Any, start: Any, adds: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            count, a, b, offset, c, ldc, start, adds = args
            cells = [
                builder.add(builder.mul(ldc, integer(i)), integer(v * kind.width))
                for i in range(rows)
                for v in range(vectors)
            ]
            ones = [builder.load(_address(builder, start, integer(i), kind)) for i in range(rows)]
            first = [wide for one in ones for wide in [_spread(builder, one, kind)] * vectors]
            table = builder.inttoptr(offset, _I32.as_pointer())

            def step(k: ir.Value, held: Sequence[ir.Value]) -> list[ir.Value]:
                at = builder.sext(builder.load(builder.gep(table, [k])), _I64)
                row = [_load(builder, b, builder.add(at, integer(v * kind.width)), kind) for v in range(vectors)]
                column = builder.mul(k, integer(rows))
                new = []
                for i in range(rows):
                    one = builder.load(_address(builder, a, builder.add(column, integer(i)), kind))
                    wide = _spread(builder, one, kind)
                    new += [fma(wide, row[v], held[i * vectors + v]) for v in range(vectors)]
                return new

            fma = fma_of(builder, kind)
            sums = accumulate(builder, count, first, step)
            with builder.if_else(builder.icmp_signed("!=", adds, integer(0))) as (added, stored):
                with added:
                    for value, cell in zip(sums, cells, strict=True):
                        _store(builder, builder.fadd(value, _load(builder, c, cell, kind)), c, cell, kind)
                with stored:
                    for value, cell in zip(sums, cells, strict=True):
                        _store(builder, value, c, cell, kind)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), emit

    return tile


def dot_tile(kind: Kind, rows: int, columns: int) -> Any:
    """tile(count, a, a_row, b, offset, c): C[i·columns + j] += Σ_q A[i·a_row + q] · B[offset[j] + q], `count` vectors.

    Both operands are read where they lie, along the image. Each sum runs over the lanes of a vector, which are added up
    at the end, pairwise. C is a whole number of vectors.
    """

    @intrinsic
    def tile(typingctx: Any, count: Any, a: Any, a_row: Any, b: Any, offset: Any, c: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            count, a, a_row, b, offset, c = args
            fma = fma_of(builder, kind)
            table = builder.inttoptr(offset, _I32.as_pointer())
            starts = [builder.sext(builder.load(builder.gep(table, [integer(j)])), _I64) for j in range(columns)]
            lines = [builder.mul(a_row, integer(i)) for i in range(rows)]
            zero = ir.Constant(vector_of(kind), [0.0] * kind.width)

            def step(q: ir.Value, held: Sequence[ir.Value]) -> list[ir.Value]:
                at = builder.mul(q, integer(kind.width))
                left = [_load(builder, a, builder.add(line, at), kind) for line in lines]
                new = list(held)
                for j, begin in enumerate(starts):
                    right = _load(builder, b, builder.add(begin, at), kind)
                    for i in range(rows):
                        new[i * columns + j] = fma(left[i], right, held[i * columns + j])
                return new

            dots = accumulate(builder, count, [zero] * (rows * columns), step)
            dots += [zero] * (-len(dots) % kind.width)
            for i, sums in enumerate(_added(builder, dots, kind.width)):
                old = _load(builder, c, integer(i * kind.width), kind)
                _store(builder, builder.fadd(old, sums), c, integer(i * kind.width), kind)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), emit

    return tile


def _added(builder: ir.IRBuilder, vectors: list[ir.Value], width: int) -> list[ir.Value]:
    """The sum of each vector's lanes, as the lanes of fewer vectors: halves onto halves, two vectors at a time."""
    length = width  # of the part of a vector that belongs to one sum
    while length > 1:
        half = length // 2
        low = [start + i for start in range(0, 2 * width, length) for i in range(half)]
        masks = [ir.Constant(ir.VectorType(_I32, width), [lane + up for lane in low]) for up in (0, half)]
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [builder.fadd(*(builder.shuffle_vector(a, b, mask) for mask in masks)) for a, b in pairs]
        length = half
    return vectors


def mover(kind: Kind, width: int) -> Any:
    """move(to, source): `width` neighbours from one address to another."""

    @intrinsic
    def move(typingctx: Any, to: Any, source: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            pointer = ir.VectorType(scalar_of(kind), width).as_pointer()
            to, source = (builder.inttoptr(address, pointer) for address in args)
            builder.store(builder.load(source, align=kind.size), to, align=kind.size)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), emit

    return move


def zeroer(kind: Kind) -> Any:
    """clear(to): one vector of zeros."""

    @intrinsic
    def clear(typingctx: Any, to: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            _store(builder, ir.Constant(vector_of(kind), [0.0] * kind.width), args[0], integer(0), kind)
            return context.get_dummy_value()

        return types.void(types.intp), emit

    return clear


def halver(kind: Kind, width: int) -> Any:
    """halve(to, source): `width` elements, every second one, of which the last is the last that is read."""

    @intrinsic
    def halve(typingctx: Any, to: Any, source: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            to, source = args
            vector = ir.VectorType(scalar_of(kind), width)
            low, high = (
                builder.load(builder.inttoptr(at, vector.as_pointer()), align=kind.size)
                for at in (source, builder.add(source, integer((width - 1) * kind.size)))
            )
            lanes = [2 * i if 2 * i < width else 2 * i + 1 for i in range(width)]
            even = builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(_I32, width), lanes))
            builder.store(even, builder.inttoptr(to, vector.as_pointer()), align=kind.size)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), emit

    return halve


def transposer(kind: Kind) -> Any:
    """transpose(to, to_row, source, source_row): a block of width × width elements; row distances in elements."""

    @intrinsic
    def transpose(typingctx: Any, to: Any, to_row: Any, source: Any, source_row: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            to, to_row, source, source_row = args
            width = kind.width
            rows = [_load(builder, source, builder.mul(source_row, integer(i)), kind) for i in range(width)]
            halves = [[n + i // 2 + (i % 2) * width for i in range(width)] for n in (0, width // 2)]
            masks = [ir.Constant(ir.VectorType(_I32, width), half) for half in halves]
            for _ in range(width.bit_length() - 1):
                # interleaving row i with row i + width/2 turns one bit of the lane's number into one of the row's
                pairs = [(rows[i], rows[i + width // 2]) for i in range(width // 2)]
                rows = [builder.shuffle_vector(a, b, mask) for a, b in pairs for mask in masks]
            for i, row in enumerate(rows):
                _store(builder, row, to, builder.mul(to_row, integer(i)), kind)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 4), emit

    return transpose


def reader(kind: Kind) -> Any:
    """get(base, element)"""

    @intrinsic
    def get(typingctx: Any, base: Any, element: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            base, element = args
            return builder.load(_address(builder, base, element, kind))

        return number_of(kind)(types.intp, types.intp), emit

    return get


def writer(kind: Kind) -> Any:
    """put(base, element, value)"""

    @intrinsic
    def put(typingctx: Any, base: Any, element: Any, value: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            base, element, value = args
            builder.store(value, _address(builder, base, element, kind))
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, number_of(kind)), emit

    return put


@intrinsic
def number(typingctx: Any, base: Any, index: Any) -> Any:
    """The int64 at a place of a table."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        base, index = args
        return builder.load(builder.gep(builder.inttoptr(base, _I64.as_pointer()), [index]))

    return types.intp(types.intp, types.intp), emit


@intrinsic
def offset_of(typingctx: Any, base: Any, index: Any) -> Any:
    """The int32 at a place of a table of offsets."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        base, index = args
        place = builder.gep(builder.inttoptr(base, _I32.as_pointer()), [index])
        return builder.sext(builder.load(place), _I64)

    return types.intp(types.intp, types.intp), emit


@intrinsic
def put_offset(typingctx: Any, base: Any, index: Any, value: Any) -> Any:
    """An int32 into a place of a table of offsets."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        base, index, value = args
        place = builder.gep(builder.inttoptr(base, _I32.as_pointer()), [index])
        builder.store(builder.trunc(value, _I32), place)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), emit


@intrinsic
def take(typingctx: Any, base: Any, index: Any) -> Any:
    """The int64 at a place of a table, which is one larger afterwards; no two threads are given the same."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        base, index = args
        place = builder.gep(builder.inttoptr(base, _I64.as_pointer()), [index])
        return builder.atomic_rmw("add", place, integer(1), "monotonic")

    return types.intp(types.intp, types.intp), emit
