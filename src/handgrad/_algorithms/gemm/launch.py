"""Running a kernel on several threads: PyTorch's own, where they can be found.

A kernel's threads draw jobs from a counter in its table until none is left, so it does not matter who they are or how
many. PyTorch's OpenMP library is already in the process, with its threads awake from the last operator: entering it
takes a few microseconds, and no second pool competes with it for the processor. Elsewhere Python's threads do.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

_forked = False


def _after_fork() -> None:
    """A child has none of its parent's threads: it works alone, as PyTorch's DataLoader workers do."""
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def threads(jobs: int) -> int:
    """How many threads a call gets."""
    return 1 if _forked else max(1, min(torch.get_num_threads(), jobs))


def launch(kernel: Callable[[int], None], table: int, count: int) -> None:
    """Call the kernel with its table on `count` threads at once; back when all are done."""
    if count == 1:
        kernel(table)
    elif (parallel := _openmp()) is not None:
        parallel(ctypes.cast(kernel, ctypes.c_void_p), table, count, 0)  # type: ignore[arg-type]  # a ctypes function
    else:
        others = [_pool().submit(kernel, table) for _ in range(count - 1)]
        kernel(table)
        for other in others:
            other.result()


@cache
def _openmp() -> Any:
    """GOMP_parallel(function, data, threads, flags) of the library that PyTorch itself uses, or None."""
    for file in sorted(Path(torch.__file__).parent.glob("lib/libgomp*.so*")):
        parallel = getattr(ctypes.CDLL(str(file)), "GOMP_parallel", None)
        if parallel is not None:
            parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
            parallel.restype = None
            return parallel
    return None


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="handgrad")


class _Scratch(threading.local):
    """Memory that a calling thread keeps for its kernels: fresh pages would cost more than a small convolution."""

    held = np.empty(0, np.uint8)

    def at_least(self, size: int) -> int:
        """The address of `size` bytes, on a boundary of 64."""
        if self.held.nbytes < size + 64:
            self.held = np.empty(size + 64, np.uint8)
        return -(-int(self.held.ctypes.data) // 64) * 64


scratch = _Scratch()
