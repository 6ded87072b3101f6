"""Checking a file in a process of its own, which may loop, print, fork, allocate or die without harm to this one.

The child leads a session of its own and works in a temporary directory for temporary files. When it is done, or its
time is up, everything that carries its mark in the environment is killed, and the directory is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._errors import HandgradError
from .encoding import decode
from .report import Report
from .request import TIMEOUT, Request

_MARK = "HANDGRAD_CHECK"
PRINTED = 64 << 10  # how much of what the checked code prints is handed on
_RESULT = 64 << 20  # no report is longer


def check_apart(request: Request, timeout: float = TIMEOUT, printed: Callable[[bytes], None] | None = None) -> Report:
    """The report on a request, worked out in a child process within `timeout` seconds.

    `printed` gets what the checked code prints, up to a limit; by default that goes to standard error.
    Raises `HandgradError` if the request itself is wrong.
    """
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="handgrad-") as folder:
        child = _Child(request, mark, folder, printed or _to_stderr)
        try:
            child.listen(time.monotonic() + timeout)
        finally:
            child.end()
    return child.report(timeout)


@dataclass
class _Child:
    request: Request
    mark: str
    folder: str
    printed: Callable[[bytes], None]
    stage: str = "starting"
    message: dict[str, Any] = field(default_factory=dict)
    timed_out: bool = False
    shown: int = 0

    def __post_init__(self) -> None:
        self.reading, writing = os.pipe()
        environment = os.environ | {_MARK: self.mark, "TMPDIR": self.folder, "PYTHONDONTWRITEBYTECODE": "1"}
        package = str(Path(__file__).parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "handgrad._check.child", str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[writing],
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(self.request.plain()).encode() + b"\n")
            self.process.stdin.close()

    def listen(self, deadline: float) -> None:
        """Read messages and output until the child closes its channel or the time is up."""
        assert self.process.stdout is not None
        output, buffer, size = self.process.stdout.fileno(), b"", 0
        with selectors.DefaultSelector() as selector:
            selector.register(self.reading, selectors.EVENT_READ)
            selector.register(output, selectors.EVENT_READ)
            while not self.timed_out:
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                self.timed_out = not ready and time.monotonic() >= deadline
                for descriptor in [key.fd for key, _ in ready]:
                    data = os.read(descriptor, 1 << 16)
                    if descriptor == output:
                        self._show(data)
                        if not data:
                            selector.unregister(output)
                        continue
                    size += len(data)
                    *lines, buffer = (buffer + data).split(b"\n")
                    self._take(lines)
                    if not data or size > _RESULT or set(self.message) & {"report", "usage", "failure"}:
                        return

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            with contextlib.suppress(ValueError):
                self.message = json.loads(line)
                self.stage = self.message.get("stage", self.stage)

    def _show(self, data: bytes) -> None:
        if data and self.shown < PRINTED:
            self.printed(data[: PRINTED - self.shown])
            if self.shown + len(data) >= PRINTED:
                self.printed(b"\n... (more output of the checked code is not shown)\n")
        self.shown += len(data)

    def end(self) -> None:
        """Kill the child and whatever it left, and collect its status."""
        os.close(self.reading)
        with contextlib.suppress(subprocess.TimeoutExpired):
            if not self.timed_out:
                self.process.wait(1.0)
        while _kill(self.process.pid, self.mark):
            time.sleep(0.01)
        self.process.wait()
        if self.process.stdout is not None:
            self._show_rest(self.process.stdout.fileno())
            self.process.stdout.close()

    def _show_rest(self, output: int) -> None:
        """What is still in the pipe; a process that escaped with the other end must not be waited for."""
        os.set_blocking(output, False)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(output, 1 << 16):
                self._show(data)

    def report(self, timeout: float) -> Report:
        """What the child said, or what its end means."""
        if "report" in self.message:
            return decode(self.message["report"])
        if "usage" in self.message:
            raise HandgradError(self.message["usage"])
        if self.timed_out:
            return Report("inconclusive", None, message=f"not done within {timeout:g} s, while in {self.stage}")
        if "failure" in self.message:
            return Report("error", None, message=f"{self.stage} raised: {self.message['failure']}")
        code = self.process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        return Report("error", None, message=f"the process of the checked code {how} while in {self.stage}")


def _kill(leader: int, mark: str) -> int:
    """Kill the child's group and all processes with its mark; how many of the latter there were."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    marked = [pid for pid in _marked(mark) if pid != os.getpid()]
    for pid in marked:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return len(marked)


def _marked(mark: str) -> list[int]:
    """Processes whose environment has the mark, those that left the session too; only Linux can tell."""
    found = []
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        with contextlib.suppress(OSError):
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and f"{_MARK}={mark}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def _to_stderr(data: bytes) -> None:
    sys.stderr.write(data.decode(errors="replace"))
    sys.stderr.flush()
