"""Room for a large result, in large pages.

Memory that was never touched costs more than most arithmetic: the system clears it page by page, at two gigabytes a
second where a page has four kilobytes. PyTorch asks for pages as they come; here the system is told, where it knows how
(Linux), that a large result may have large ones.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

LARGE = 32 << 20  # bytes; malloc keeps less than that for the next call, and then its pages are there already
_HUGE = getattr(mmap, "MADV_HUGEPAGE", None)


def empty(like: Tensor, size: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
    """As `like.new_empty(size)`."""
    made = like.new_empty(size, dtype=dtype)
    if made.is_cpu and made.nbytes >= LARGE and type(made) is Tensor and (advise := _madvise()) is not None:
        page = mmap.PAGESIZE
        start, end = -(-made.data_ptr() // page) * page, (made.data_ptr() + made.nbytes) // page * page
        advise(start, end - start, _HUGE)  # advice: where it is not taken, nothing is lost
    return made


@cache
def _madvise() -> Any:
    """The system's madvise(address, length, advice), or None."""
    if _HUGE is None or sys.platform != "linux":
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function
