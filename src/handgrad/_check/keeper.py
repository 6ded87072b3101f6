"""The process between the command and the checked code, which sees to it that nothing is left behind.

    python -I -S keeper.py FOLDER COMMAND...

It makes FOLDER for temporary files and runs COMMAND in a session of its own, until COMMAND ends or says that it is done
(by SIGUSR1), or until the other end of standard input, a socket, is closed: that happens also when whoever holds it is
killed. Then it kills all that COMMAND started and has not ended, removes FOLDER, and writes COMMAND's wait status to
the socket.

On Linux orphans become this process's children, wherever they went, so that none is missed. Elsewhere a process that
left the session and lost its parent is out of reach.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator

GRACE = 5.0  # seconds to kill what is left; a process in a broken file system does not die

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_LIFELINE = 0  # standard input


def main() -> None:
    """Run one command and clear up after it."""
    folder, *command = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    awake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    for number in (signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    os.mkdir(folder, 0o700)
    child = os.fork()
    if child == 0:
        _become(command)
    status = _wait(child, awake)
    status = _end(child, status)
    _remove(folder)
    with contextlib.suppress(OSError):
        os.write(_LIFELINE, str(status).encode())


def _become(command: list[str]) -> None:
    """Turn this fork into the command, which dies when the keeper does."""
    keeper = os.getppid()
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), _LIFELINE)
    os.execv(command[0], command)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _wait(child: int, awake: int) -> int | None:
    """Sleep until it is over; the child's status if it has ended."""
    while True:
        ready, _, _ = select.select([_LIFELINE, awake], [], [])
        status = _reap().get(child)
        if status is not None or _LIFELINE in ready or signal.SIGUSR1 in os.read(awake, 4096):
            return status


def _reap() -> dict[int, int]:
    """Collect the status of every child that has ended; with 0: 0 if there are none left."""
    ended = {}
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[1]
    except ChildProcessError:
        ended[0] = 0
    return ended


def _end(child: int, status: int | None) -> int:
    """Kill the child, its group and all descendants until there are none, and return the child's status."""
    deadline = time.monotonic() + GRACE
    left = _descendants(child)  # while the child is there to lead to them
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    while time.monotonic() < deadline:
        left |= _descendants(os.getpid())
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped, none starts another while the others are killed
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        ended = _reap()
        status = ended.get(child, status)
        if not left and 0 in ended:
            break
        left = set()
        time.sleep(0.002)
    return signal.SIGKILL if status is None else status


def _descendants(ancestor: int) -> set[int]:
    """The living processes below one."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        new = [pid for pid in children.get(waiting.pop(), ()) if pid not in found]
        found.update(new)
        waiting += new
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """Every process that is no zombie, with its parent."""
    if not os.path.exists("/proc/self/stat"):
        yield from _listed()
        return
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
            if state != b"Z":
                yield int(name), int(parent)


def _listed() -> Iterator[tuple[int, int]]:
    """The same as `ps` tells it, without `ps` itself."""
    from subprocess import PIPE, Popen

    with Popen(["ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "stat="], stdout=PIPE, text=True) as ps:
        assert ps.stdout is not None
        for pid, parent, state in (line.split()[:3] for line in ps.stdout):
            if int(pid) != ps.pid and not state.startswith("Z"):
                yield int(pid), int(parent)


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
