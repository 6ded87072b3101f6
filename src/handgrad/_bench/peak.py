"""What the machine can do at all, measured on the spot: fused multiply-adds, and nothing else."""

from __future__ import annotations

import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import torch

ROUNDS = 5
STEPS = 1_000_000  # of the loop, in one round: some milliseconds
MATRIX = 1024


@dataclass(frozen=True)
class Peak:
    """FLOP/s, and how they were measured."""

    flops: float
    how: str


def measure(dtype: torch.dtype, threads: int) -> Peak:
    """The peak of so many threads: of a loop of fused multiply-adds, or without Numba of `torch.matmul`."""
    if find_spec("numba") is None:
        return Peak(_of_matmul(dtype), f"torch.matmul, {MATRIX}×{MATRIX} (Numba is not installed)")
    spin, lanes, chains = _loop(dtype)
    flop = 2 * lanes * chains * STEPS * threads
    with ThreadPoolExecutor(threads) as pool:
        best = _best(lambda: list(pool.map(spin, [STEPS] * threads)))
    return Peak(flop / best, f"FMA loop by Numba, {chains} chains of {lanes} lanes a thread")


def _of_matmul(dtype: torch.dtype) -> float:
    a, b = torch.randn(2, MATRIX, MATRIX, dtype=dtype, generator=torch.Generator().manual_seed(0))
    return 2 * MATRIX**3 / _best(lambda: a @ b)


def _best(call: Callable[[], Any]) -> float:
    """Seconds of the fastest of many."""
    call()
    taken = []
    for _ in range(ROUNDS):
        start = perf_counter()
        call()
        taken.append(perf_counter() - start)
    return min(taken)


@cache
def _loop(dtype: torch.dtype) -> tuple[Callable[[int], Any], int, int]:
    """A compiled loop of so many steps that lets other threads run, and how many lanes and chains it has.

    An FMA takes about four cycles and two can start in each, so eight independent chains are the least; they must
    stay in registers, of which there are 16 with AVX2 and 32 with AVX-512 and on ARM.
    """
    numba, ir = import_module("numba"), import_module("llvmlite.ir")
    intrinsic = import_module("numba.extending").intrinsic
    width, chains = _registers()
    lanes = width // dtype.itemsize
    kind = "f32" if dtype == torch.float32 else "f64"

    @intrinsic  # type: ignore[untyped-decorator]
    def spin(_context: Any, _steps: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            del context, signature
            return _emit(ir, builder, arguments[0], kind, lanes, chains)

        result = numba.types.float32 if kind == "f32" else numba.types.float64
        return result(numba.types.intp), emit

    return numba.njit(nogil=True)(lambda steps: spin(steps)), lanes, chains


def _emit(ir: Any, builder: Any, steps: Any, kind: str, lanes: int, chains: int) -> Any:
    """The loop in LLVM's language: x ← c · x + x in every lane of every chain."""
    scalar = ir.FloatType() if kind == "f32" else ir.DoubleType()
    vector, integer = ir.VectorType(scalar, lanes), steps.type
    name, signature = f"llvm.fma.v{lanes}{kind}", ir.FunctionType(vector, [vector] * 3)
    fma = builder.module.globals.get(name) or ir.Function(builder.module, signature, name)
    before, loop, after = builder.block, builder.append_basic_block("spin"), builder.append_basic_block("spun")
    # c is no constant, or the compiler would reckon the loop out; but for the first lane it is 0, and x stays finite
    factor = builder.insert_element(ir.Constant(vector, [0.0] * lanes), builder.sitofp(steps, scalar), integer(0))
    builder.branch(loop)
    builder.position_at_end(loop)
    step, held = builder.phi(integer), [builder.phi(vector) for _ in range(chains)]
    new = [builder.call(fma, [factor, chain, chain]) for chain in held]
    following = builder.add(step, integer(1))
    step.add_incoming(integer(0), before)
    step.add_incoming(following, loop)
    for i, (phi, value) in enumerate(zip(held, new, strict=True)):
        phi.add_incoming(ir.Constant(vector, [float(i)] * lanes), before)  # all different, or they would become one
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, steps), loop, after)
    builder.position_at_end(after)
    total = new[0]
    for value in new[1:]:
        total = builder.fadd(total, value)
    return builder.extract_element(total, integer(0))


def _registers() -> tuple[int, int]:
    """The width of a vector register in bytes, and how many chains of accumulators to keep in such registers."""
    features = import_module("llvmlite.binding").get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 24
    if platform.machine().lower() in ("x86_64", "amd64"):
        return (32 if features.get("fma") else 16), 12
    return 16, 24
