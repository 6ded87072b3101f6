"""Code that misbehaves ends in a report, within the time, and leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from handgrad._check.report import Report
from handgrad._check.request import Request
from handgrad._check.sandbox import PRINTED, check_apart
from handgrad._errors import HandgradError

pytestmark = pytest.mark.slow  # each test starts a process that imports torch

GOOD = """
def forward(x, w):
    return x @ w

def backward(g, x, w):
    return g @ w.T, x.T @ g
"""


def _run(folder: Path, code: str, timeout: float = 60.0) -> tuple[Report, bytes]:
    path = folder / "code.py"
    path.write_text(code)
    printed: list[bytes] = []
    request = Request(str(path), inputs=("x=4x3", "w=3x5"))
    return check_apart(request, timeout, printed.append), b"".join(printed)


def _with(body: str) -> str:
    return GOOD.replace("    return g @", f"    {body}\n    return g @")


def _alive(mark: str) -> list[str]:
    """The command lines of processes that mention a mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark in line and state != "Z" and entry.name != str(os.getpid()):
            found.append(line)
    return found


def test_good_code_prints_to_the_side(tmp_path: Path) -> None:
    report, printed = _run(tmp_path, "print('hello from the file')\n" + GOOD)
    assert report.verdict == "correct"
    assert [gradient.name for gradient in report.gradients] == ["x", "w"]
    assert b"hello from the file" in printed
    assert not list(tmp_path.glob("**/__pycache__"))


def test_a_loop_ends_with_the_time(tmp_path: Path) -> None:
    begin = time.monotonic()
    report, _ = _run(tmp_path, "import os\n" + _with("while True: pass"), timeout=8.0)
    assert report.verdict == "inconclusive"
    assert report.message == "not done within 8 s, while in backward"
    assert time.monotonic() - begin < 12


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import sys; sys.exit(5)", "SystemExit: 5"),
        ("raise BaseException('odd')", "BaseException: odd"),
        ("import os; os._exit(7)", "ended with exit status 7 while in backward"),
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV while in backward"),
        ("x = bytearray(20 << 30)", "MemoryError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_every_other_end_is_an_error(tmp_path: Path, body: str, says: str) -> None:
    report, _ = _run(tmp_path, _with(body))
    assert report.verdict == "error"
    assert says in (report.message or "")


def test_megabytes_of_output_are_cut(tmp_path: Path) -> None:
    report, printed = _run(tmp_path, _with("print('y' * (8 << 20))"))
    assert report.verdict == "correct"
    assert PRINTED <= len(printed) < PRINTED + 200
    assert printed.endswith(b"(more output of the checked code is not shown)\n")


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grandchild in a session of its own, a temporary file, a fork that runs on."""
    mark = f"sleeper-{os.getpid()}-{time.monotonic_ns()}"
    place = tmp_path / "temporary"  # other tests on other workers use the common one
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    code = f"""
import os, subprocess, sys, tempfile
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "{mark}"], start_new_session=True)
tempfile.mkstemp()
if os.fork() == 0:
    os.setsid()
"""
    report, _ = _run(tmp_path, code + GOOD)
    assert report.verdict == "correct"
    assert not _alive(mark)
    assert not list(place.iterdir())


def test_a_fork_bomb_is_an_error(tmp_path: Path) -> None:
    report, _ = _run(tmp_path, "import os\n" + _with("\n    while True: os.fork()"), timeout=60.0)
    assert report.verdict == "error"
    assert "forked more than" in (report.message or "")


def test_an_exception_keeps_its_traceback_and_gets_a_note(tmp_path: Path) -> None:
    report, _ = _run(tmp_path, GOOD.replace("g @ w.T", "g @ w"))
    assert report.verdict == "error"
    lines = (report.message or "").splitlines()
    assert lines[0] == f"backward raised at {tmp_path / 'code.py'}:6"
    assert lines[-2].startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert lines[-1] == "handgrad: in `g @ w`: g (4, 5), w (3, 5)"
    assert not any("_check" in line for line in lines)


def test_a_wrong_request_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(GOOD)
    with pytest.raises(HandgradError, match=r"check: nothing says what to run `forward` on\."):
        check_apart(Request(str(path)))
    with pytest.raises(HandgradError, match=r"check: there is no file nowhere\.py\."):
        check_apart(Request("nowhere.py"))
