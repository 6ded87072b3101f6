"""A piece of memory that the command and the process of the checked code share: a stage, and one message.

The mapping needs no open file, so that code which closes or writes to every file descriptor it finds does not reach it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

SIZE = 64 << 20  # bytes, of which only those that are written take up memory; no report is longer
_STAGE = 64


@contextmanager
def shared_file() -> Iterator[int]:
    """The descriptor of a file of `SIZE` bytes: one in memory where there are such, as a disk may be full.

    It is none of the three of the standard streams, which a process may have closed, and hands on otherwise.
    """
    with open(os.memfd_create("handgrad"), "r+b") if sys.platform == "linux" else tempfile.TemporaryFile() as file:
        descriptor = fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
        try:
            os.ftruncate(descriptor, SIZE)
            yield descriptor
        finally:
            os.close(descriptor)


class Shared:
    """The memory behind a file of `SIZE` bytes."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, SIZE)

    @property
    def stage(self) -> str:
        """What is being done: "starting", "import", "forward", "backward"."""
        return self._memory[:_STAGE].rstrip(b"\0").decode(errors="replace")

    @stage.setter
    def stage(self, stage: str) -> None:
        self._memory[:_STAGE] = stage.encode()[:_STAGE].ljust(_STAGE, b"\0")

    def write(self, message: bytes) -> None:
        """Put a message in the place of the one before. It has no zero byte. Raises `ValueError` if it is too long."""
        if len(message) >= SIZE - _STAGE:
            raise ValueError(f"{len(message)} bytes are too many")
        self._memory[_STAGE : _STAGE + len(message) + 1] = message + b"\0"

    def read(self) -> bytes:
        """The message."""
        return self._memory[_STAGE : self._memory.find(b"\0", _STAGE)]
