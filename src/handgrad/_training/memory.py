"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h has them
_SETTINGS = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"


def keep_freed() -> bool:
    """Let this process keep what it frees; whether the C library can be told so.

    glibc gives large blocks back to the system at once, and the next step of a training gets them page by page, each
    cleared: a tenth of the time of a network with normalization. A library has no business to settle that for a
    process; a command of its own has. Who has set glibc's variables for the process has the last word.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _SETTINGS):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # up to 2 GiB of free memory are kept, and blocks up to 32 MiB, the most it takes, are no mappings of their own
    return bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_MMAP_THRESHOLD, 2**25))
