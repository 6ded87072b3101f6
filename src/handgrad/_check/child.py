"""The process in which a checked file runs: `python -m handgrad._check.child FD`.

FD is a file to share memory through: the request stands there, and is replaced by the report. What is being done is
written beside it, whenever that changes, so that a process that ends without a report can be explained.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from .shared import Shared

MEMORY = 4 << 30  # bytes of address space that the checked code may add to what importing torch takes
FORKS = 6  # how often in a row a process and its children may fork; a bomb doubles each time
TASKS = 1024  # processes and threads that this user may start beside those that run; root may always


class Channel:
    """Stages and the report; only this process writes them, not one that the checked code forked."""

    def __init__(self, descriptor: int) -> None:
        self._shared, self._owner, self.last = Shared(descriptor), os.getpid(), ""
        os.close(descriptor)
        given = json.loads(self._shared.read())
        self._token: str = given["token"]
        self.request: dict[str, Any] = given["request"]
        self._shared.write(b"")

    def stage(self, stage: str) -> None:
        """Say what is being done, if that is something new."""
        if stage != self.last and os.getpid() == self._owner:
            self.last = self._shared.stage = stage

    def send(self, **message: Any) -> None:
        """Say how it ended; a forked copy that got here by running on ends instead."""
        if os.getpid() != self._owner:
            os._exit(0)
        word = f"\n{self._token}\n"
        try:
            self._shared.write((word + json.dumps(message)).encode())
        except ValueError as problem:
            self._shared.write((word + json.dumps({"failure": f"the report is too long: {problem}"})).encode())


def limit() -> None:
    """Bound the address space, core files, processes and forks of this process from now on."""
    status = Path("/proc/self/status").read_text()
    used = int(status.partition("VmSize:")[2].split()[0]) << 10
    _lower(resource.RLIMIT_AS, used + MEMORY)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NPROC, _tasks() + TASKS)
    count = 0

    def audit(event: str, _: Any) -> None:
        nonlocal count
        if event in ("os.fork", "os.forkpty"):
            count += 1  # a child inherits the count, so that it bounds the depth of the tree
            if count > FORKS:
                raise RuntimeError(f"the checked code forked more than {FORKS} times")

    sys.addaudithook(audit)


def _lower(what: int, bound: int) -> None:
    """Set a limit, below the one there is."""
    hard = resource.getrlimit(what)[1]
    bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(what, (bound, bound))


def _tasks() -> int:
    """The processes and threads of this user."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            count += len(os.listdir(process / "task")) if process.stat().st_uid == os.getuid() else 0
    return count


def main() -> None:
    """Carry out one request."""
    keeper, channel = os.getppid(), Channel(int(sys.argv[1]))
    channel.stage("starting")
    from .._errors import HandgradError
    from .encoding import encode
    from .request import Request
    from .subjects import calling
    from .target import check_target

    request = Request.of(channel.request)
    sys.argv = [request.target]
    sys.path.insert(0, os.getcwd())  # as `python -m` has it, but not before everything here is imported
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    calling.on_stage(channel.stage)
    if sys.platform == "linux":
        limit()
    try:
        report = check_target(request)
        channel.send(report=encode(report), example=report.example)
    except HandgradError as problem:
        channel.send(usage=str(problem))
    except MemoryError:
        channel.send(failure="it ran out of memory; try a smaller --input")
    except BaseException as problem:
        traceback.print_exc()
        channel.send(failure=f"{type(problem).__name__}: {problem}")
    _leave(keeper)


def _leave(keeper: int) -> None:
    """End without a word to threads and exit handlers of the checked code; the keeper kills them with this process."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    if os.getppid() == keeper:
        os.kill(keeper, signal.SIGUSR1)
        signal.pause()
    os._exit(1)


if __name__ == "__main__":
    main()
