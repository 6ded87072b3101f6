"""What is freed is kept: the system need not hand it out, page by page, again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from handgrad._training import memory

PAGES = """
import resource
from ctypes import CDLL, c_size_t, c_void_p, memset
from handgrad._training import memory
print(memory.keep_freed())
libc = CDLL(None)
libc.malloc.restype, libc.free.argtypes = c_void_p, [c_void_p]
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(c_size_t(20 << 20))
    memset(c_void_p(block), 1, 20 << 20)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.parametrize("own", [{}, {"MALLOC_TRIM_THRESHOLD_": "65536"}], ids=["unset", "set"])
def test_pages_are_kept_unless_somebody_said_otherwise(own: dict[str, str]) -> None:
    told = {name: value for name, value in os.environ.items() if name not in memory._SETTINGS}
    run = subprocess.run([sys.executable, "-c", PAGES], env=told | own, capture_output=True, text=True, check=True)
    kept, pages = run.stdout.split()
    assert kept == str(not own)
    assert (int(pages) < 50) == (not own)  # else each of thousands


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", None)  # type: ignore[attr-defined]
    assert memory.keep_freed() is False
