"""Checking a file in a process of its own, which may loop, print, fork, allocate or die without harm to this one.

Between that process and this one stands a third, the keeper: it ends whatever the checked code started, and removes its
temporary files, also when this process is killed. The report comes through shared memory, which no file descriptor of
the checked code leads to, and begins with a word that only this process and the checker in that one know.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._errors import HandgradError, error
from . import keeper
from .encoding import decode
from .report import Report
from .request import TIMEOUT, Request
from .shared import Shared, shared_file

PRINTED = 64 << 10  # how much of what the checked code prints is handed on
_GRACE = 2 * keeper.GRACE  # seconds for the keeper to clear up


def check_apart(request: Request, timeout: float = TIMEOUT, printed: Callable[[bytes], None] | None = None) -> Report:
    """The report on a request, worked out in a child process within `timeout` seconds.

    `printed` gets what the checked code prints, up to a limit; by default that goes to standard error.
    Raises `HandgradError` if the request itself is wrong.
    """
    if not 0 < timeout < math.inf:
        raise error("check", f"a timeout of {timeout:g} s", needed="a number of seconds above 0")
    token = secrets.token_hex(16)
    with shared_file() as memory:
        shared = Shared(memory)
        shared.write(json.dumps({"token": token, "request": request.plain()}).encode())
        apart = _Apart(memory, printed or _to_stderr)
        try:
            apart.listen(time.monotonic() + timeout)
        finally:
            apart.end()
        return _report(apart, shared.stage, _said(shared.read(), token), timeout)


class _Apart:
    """The process of the checked code, with its keeper."""

    def __init__(self, memory: int, printed: Callable[[bytes], None]) -> None:
        self.printed, self.shown = printed, 0
        self.timed_out = False
        self.status: int | None = None  # as `os.waitpid` gives it; None while it runs, and if the keeper was killed
        self.folder = os.path.join(tempfile.gettempdir(), f"handgrad-{secrets.token_hex(8)}")
        self.lifeline, theirs = socket.socketpair()
        child = [sys.executable, "-P", "-m", f"{__package__}.child", str(memory)]
        with theirs:
            self.keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, self.folder, *child],
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[memory],
                env=_environment(self.folder),
                start_new_session=True,  # Ctrl-C in a terminal is for this process
            )
        assert self.keeper.stdout is not None
        self.output = self.keeper.stdout

    def listen(self, deadline: float) -> None:
        """Hand on what is printed until it is over or the time is up."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.lifeline, selectors.EVENT_READ)
            selector.register(self.output, selectors.EVENT_READ)
            while not self.timed_out:
                ready = [key.fileobj for key, _ in selector.select(max(0.0, deadline - time.monotonic()))]
                if self.lifeline in ready:
                    return
                if self.output in ready and not self._show(os.read(self.output.fileno(), 1 << 16)):
                    selector.unregister(self.output)
                self.timed_out = time.monotonic() >= deadline

    def end(self) -> None:
        """Have everything killed and cleared up, and collect the status."""
        with contextlib.suppress(OSError):
            self.lifeline.shutdown(socket.SHUT_WR)
            self.lifeline.settimeout(_GRACE)
            self.status = int(self.lifeline.recv(32) or b"-1")
        self.lifeline.close()
        if self.status is None or self.status < 0:  # the keeper was killed, and could not clear up
            self.status = None
            self.keeper.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
        self.keeper.wait()
        os.set_blocking(self.output.fileno(), False)
        with contextlib.suppress(BlockingIOError):  # a process that escaped may hold the other end
            while data := os.read(self.output.fileno(), 1 << 16):
                self._show(data)
        self.output.close()

    def _show(self, data: bytes) -> bytes:
        """Hand on what was printed, up to the limit; returned as it came."""
        if data and self.shown < PRINTED:
            self.printed(data[: PRINTED - self.shown])
            if self.shown + len(data) >= PRINTED:
                self.printed(b"\n... (more output of the checked code is not shown)\n")
        self.shown += len(data)
        return data


def _environment(folder: str) -> dict[str, str]:
    """This process's, with a place for temporary files and this very package to import."""
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return os.environ | {"TMPDIR": folder, "PYTHONPATH": path}


def _said(data: bytes, token: str) -> dict[str, Any] | None:
    """What the child said; None if nothing, `{}` if the word it has to begin with is another."""
    if data[:1] != b"\n":  # the request, as it was written
        return None
    word, _, message = data[1:].partition(b"\n")
    with contextlib.suppress(ValueError):
        if secrets.compare_digest(word, token.encode()) and isinstance(said := json.loads(message), dict):
            return said
    return {}


def _report(apart: _Apart, stage: str, said: dict[str, Any] | None, timeout: float) -> Report:
    """What the child said, or what its end means."""
    if said is not None:
        if "usage" in said:
            raise HandgradError(said["usage"])
        if "failure" in said:
            what = f"the checker itself failed while in {stage}: {said['failure']}"
            return Report("inconclusive", None, message=what)
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return replace(decode(said["report"]), example=said["example"])
        return Report("error", None, message="the checked code wrote over the checker's report")
    if apart.timed_out:
        return Report("inconclusive", None, message=f"not done within {timeout:g} s, while in {stage}")
    if apart.status is None:
        end = _end(apart.keeper.returncode)
        return Report("error", None, message=f"the process that keeps the checked code {end} while in {stage}")
    end = _end(os.waitstatus_to_exitcode(apart.status))
    if stage == "starting":  # nothing of the checked code has run yet
        return Report("inconclusive", None, message=f"the checker did not start: its process {end}")
    return Report("error", None, message=f"the process of the checked code {end} while in {stage}")


def _end(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"


def _to_stderr(data: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it, or it is closed
        sys.stderr.write(data.decode(errors="replace").encode(errors="replace").decode())
        sys.stderr.flush()
