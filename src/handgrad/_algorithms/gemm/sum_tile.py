"""A register tile that adds up along the taps what is computed already, and meets the sums where they are; √."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .machine import Kind
from .tile import accumulate, fma_of, integer, number_of, vector_of

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def summing_tile(kind: Kind, vectors: int) -> Any:
    """tile(count, offset, a, b, c) → Σ_t A[offset[t]]: C[i] += B[i] · Σ_t A[offset[t] + i], i in so many vectors."""

    @intrinsic
    def tile(typingctx: Any, count: Any, offset: Any, a: Any, b: Any, c: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            count, offset, a, b, c = args
            table = builder.inttoptr(offset, _I32.as_pointer())

            def places(base: ir.Value) -> list[ir.Value]:
                steps = [integer(v * kind.machine.vector) for v in range(vectors)]
                return [builder.inttoptr(builder.add(base, step), vector_of(kind).as_pointer()) for step in steps]

            def load(base: ir.Value) -> list[ir.Value]:
                return [builder.load(place, align=kind.size) for place in places(base)]

            def step(t: ir.Value, held: Sequence[ir.Value]) -> list[ir.Value]:
                element = builder.sext(builder.load(builder.gep(table, [t])), _I64)
                row = load(builder.add(a, builder.mul(element, integer(kind.size))))
                return [builder.fadd(total, more) for total, more in zip(held, row, strict=True)]

            zero, fma = ir.Constant(vector_of(kind), [0.0] * kind.width), fma_of(builder, kind)
            sums = accumulate(builder, count, [zero] * vectors, step)
            for total, met, old, place in zip(sums, load(b), load(c), places(c), strict=True):
                builder.store(fma(total, met, old), place, align=kind.size)
            return builder.extract_element(sums[0], ir.Constant(_I32, 0))

        return number_of(kind)(*[types.intp] * 5), emit

    return tile


@intrinsic
def root(typingctx: Any, value: Any) -> Any:
    """√ as one instruction; that of `math` is a call of a library, which a kernel has none of."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.sqrt", [ir.DoubleType()])
        return builder.call(function, args)

    return types.float64(types.float64), emit
