"""The process in which a checked file runs: `python -m handgrad._check.child FD`, the request on standard input.

It writes the report as one line of JSON to the file descriptor FD, and before it, whenever that changes, what it is
doing, so that a process that ends without a report can be explained.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

MEMORY = 4 << 30  # bytes of address space that the checked code may add to what importing torch takes
FORKS = 6  # how often in a row a process and its children may fork; a bomb doubles each time


class Channel:
    """Lines of JSON to the parent; only this process writes them, not one that the checked code forked."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.owner, self.last = descriptor, os.getpid(), ""
        os.register_at_fork(after_in_child=self._close)

    def _close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def stage(self, stage: str) -> None:
        """Say what is being done, if that is something new."""
        if stage != self.last:
            self.last = stage
            self.send(stage=stage)

    def send(self, **message: Any) -> None:
        """Write one line; a forked copy that got here by running on ends instead."""
        if os.getpid() != self.owner or self.descriptor < 0:
            os._exit(0)
        data = (json.dumps(message) + "\n").encode()
        while data:
            data = data[os.write(self.descriptor, data) :]


def limit() -> None:
    """Bound the address space, core files and forks of this process from now on."""
    status = Path("/proc/self/status").read_text()
    used = int(status.partition("VmSize:")[2].split()[0]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    count = 0

    def audit(event: str, _: Any) -> None:
        nonlocal count
        if event in ("os.fork", "os.forkpty"):
            count += 1  # a child inherits the count, so that it bounds the depth of the tree
            if count > FORKS:
                raise RuntimeError(f"the checked code forked more than {FORKS} times")

    sys.addaudithook(audit)


def main() -> None:
    """Carry out one request."""
    channel = Channel(int(sys.argv[1]))
    channel.send(stage="starting")
    from .._errors import HandgradError
    from .encoding import encode
    from .request import Request
    from .subjects import calling
    from .target import check_target

    request = Request.of(json.loads(sys.stdin.readline()))
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    calling.on_stage(channel.stage)
    if sys.platform == "linux":
        limit()
    try:
        channel.send(report=encode(check_target(request)))
    except HandgradError as problem:
        channel.send(usage=str(problem))
    except MemoryError:
        channel.send(failure="it ran out of memory")
    except BaseException as problem:  # a mistake of the checker itself, or a KeyboardInterrupt of the code
        traceback.print_exc()
        channel.send(failure=f"{type(problem).__name__}: {problem}")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads and exit handlers of the checked code have nothing more to do


if __name__ == "__main__":
    main()
