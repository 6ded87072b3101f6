"""What the kernels must know of the processor: how wide its vectors are and how many registers hold them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from llvmlite import binding


@dataclass(frozen=True)
class Machine:
    """A vector's bytes, and the number of vector registers; the shapes of the tiles follow."""

    vector: int
    registers: int

    @property
    def rows(self) -> int:
        """Rows of a whole tile."""
        return 8 if self.registers >= 32 else 4

    def vectors(self, rows: int) -> int:
        """As many as fit: rows · vectors accumulators, one row of B, and a broadcast of A; eight hide the latency."""
        return min(8, (self.registers - 1) // (rows + 1))

    @property
    def dots(self) -> tuple[int, int]:
        """(rows, columns) of the tile of dot products: rows · columns accumulators, the rows, and one column."""
        return (4, 6) if self.registers >= 32 else (3, 4)


@dataclass(frozen=True)
class Kind:
    """An element type on a machine: its size in bytes, and how many of it fill a vector."""

    size: int
    machine: Machine

    @property
    def slot(self) -> int:
        """Elements of a tile of dot products: a whole number of vectors."""
        rows, columns = self.machine.dots
        return -(-rows * columns // self.width) * self.width

    @property
    def width(self) -> int:
        return self.machine.vector // self.size

    @property
    def name(self) -> str:
        return {4: "f32", 8: "f64"}[self.size]


@cache
def machine() -> Machine:
    """The host's. 256-bit vectors even where there are wider ones: no slower there, and less is lost at row ends."""
    has = binding.get_host_cpu_features()
    if has.get("avx512vl"):
        return Machine(32, 32)
    if has.get("avx2") and has.get("fma"):
        return Machine(32, 16)
    arm = binding.get_process_triple().startswith(("aarch64", "arm64"))
    return Machine(16, 32 if arm else 16)


@cache
def kind(size: int) -> Kind:
    """float32 for 4 bytes, float64 for 8, on the host."""
    return Kind(size, machine())
