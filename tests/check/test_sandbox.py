"""Code that misbehaves ends in a report, within the time, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from handgrad._check import keeper
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


def _soon(is_so: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether it becomes so within some seconds."""
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(is_so())


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
        ("raise KeyboardInterrupt", "code.py:6\nTraceback"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT); [0] * 9", "code.py:6\nTraceback"),
    ],
)
def test_every_other_end_is_an_error(tmp_path: Path, body: str, says: str) -> None:
    report, _ = _run(tmp_path, _with(body))
    assert report.verdict == "error"
    assert says in (report.message or "")


def test_a_flood_of_output_ends_with_the_time(tmp_path: Path) -> None:
    report, printed = _run(tmp_path, _with("while True: print('y' * 9999)"), timeout=8.0)
    assert report.message == "not done within 8 s, while in backward"
    assert len(printed) < PRINTED + 200


@pytest.mark.parametrize(
    "body",
    [
        "import os; os.closerange(0, 4096)",
        "import os; [os.close(int(fd)) for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)]",
        "import os, shutil, tempfile; os.chdir('/'); shutil.rmtree(tempfile.gettempdir(), True); os.umask(0o777)",
        "import resource; [resource.setrlimit(r, (0, 0)) for r in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)]",
        "import atexit, sys; sys.stdout.close(); sys.stderr = None; atexit.register(print, 1)",
        "import threading as t; t.active_count() > 1 or t.Thread(target=exec, args=['while 1: 0']).start()",
        "import signal; [signal.signal(s, signal.SIG_IGN) for s in set(signal.Signals) - {9, 19}]",
    ],
    ids=[
        "closes-all-files",
        "closes-what-is-open",
        "leaves-no-folder",
        "no-files-allowed",
        "no-output",
        "thread",
        "deaf",
    ],
)
def test_a_report_comes_all_the_same(tmp_path: Path, body: str) -> None:
    report, _ = _run(tmp_path, _with(body))
    assert report.verdict == "correct"


RIGHT = {"verdict": "correct", "operation": None, "gradients": [], "trace": [], "notes": []}
TOLD = json.dumps({"report": RIGHT, "example": None})
FORGED = f"""
import os
said = b'\\n{{}}\\n{TOLD}\\0'
for fd in range(3, 4096):
    try:
        os.pwrite(fd, said, 64)
        os.write(fd, said)
    except OSError:
        pass
"""


def test_what_is_written_to_every_file_is_no_report(tmp_path: Path) -> None:
    """A wrong gradient stays wrong, whatever its code writes to the descriptors that it finds."""
    wrong = GOOD.replace("x.T @ g", "2 * x.T @ g")
    report, _ = _run(tmp_path, wrong.replace("    return g @", f"    exec({FORGED!r})\n    return g @"))
    assert report.verdict == "wrong"


def test_a_report_without_the_word_is_not_believed(tmp_path: Path) -> None:
    """Code that looks for the memory in the frames of the checker and writes there, but does not know the word."""
    reach = f"""
    import os, sys
    frame = sys._getframe()
    while "channel" not in frame.f_locals: frame = frame.f_back
    frame.f_locals["channel"]._shared.write(b'\\nword\\n{TOLD}')
    os._exit(0)
"""
    report, _ = _run(tmp_path, _with(reach.strip()))
    assert (report.verdict, report.message) == ("error", "the checked code wrote over the checker's report")


def test_a_mistake_of_the_checker_is_not_the_codes(tmp_path: Path) -> None:
    report, _ = _run(tmp_path, "import handgrad._check.run as run\nrun.verdict_on = None\n" + GOOD)
    assert report.verdict == "inconclusive"
    assert (report.message or "").startswith("the checker itself failed, which says nothing of the code\nTraceback")


def test_a_modules_name_in_the_working_directory_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `random.py` beside the checked file; `module:Name` is still looked for there."""
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong random')")
    (tmp_path / "mine.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    report = check_apart(Request("mine:forward", inputs=("x=4x3", "w=3x5")), 60.0)
    assert report.verdict == "correct"


def test_megabytes_of_output_are_cut(tmp_path: Path) -> None:
    report, printed = _run(tmp_path, _with("print('y' * (8 << 20))"))
    assert report.verdict == "correct"
    assert PRINTED <= len(printed) < PRINTED + 200
    assert printed.endswith(b"(more output of the checked code is not shown)\n")


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grandchild in a session of its own, an orphan of an orphan without environment, a temporary file, a fork."""
    mark = f"sleeper-{os.getpid()}-{time.monotonic_ns()}"
    place = tmp_path / "temporary"  # other tests on other workers use the common one
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    code = f"""
import os, subprocess, sys, tempfile
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "{mark}"], start_new_session=True)
lost = f"import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(300)"
subprocess.Popen([sys.executable, "-c", lost, "{mark}"], start_new_session=True, env={{}}).wait()
tempfile.mkstemp()
if os.fork() == 0:
    os.setsid()
"""
    report, _ = _run(tmp_path, code + GOOD)
    assert report.verdict == "correct"
    assert not _alive(mark)
    assert not list(place.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_behind_by_a_killed_command(tmp_path: Path, number: signal.Signals) -> None:
    mark = f"sleeper-{os.getpid()}-{time.monotonic_ns()}"
    place = tmp_path / "temporary"
    place.mkdir()
    path = tmp_path / f"{mark}.py"
    path.write_text(f"""
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "{mark}"], start_new_session=True, env={{}})
print("ready", flush=True)
while True: pass
def backward(g): return g
""")
    command = [sys.executable, "-c", "import sys, handgrad; handgrad.check(sys.argv[1], timeout=300)", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(place)}) as started:
        assert started.stderr is not None
        ready = started.stderr.readline(), _alive(mark)
        started.send_signal(number)
    assert ready[0] == b"ready\n"
    assert len(ready[1]) == 2  # the command and the sleeper
    assert _soon(lambda: not _alive(mark))
    assert _soon(lambda: not list(place.iterdir()))


def test_descendants_are_found_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `ps` lists them where there is no /proc."""
    sleeper = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(300)'])"
    with subprocess.Popen([sys.executable, "-c", sleeper]) as parent:
        assert _soon(lambda: keeper._descendants(parent.pid))
        expected = keeper._descendants(os.getpid())
        monkeypatch.setattr(keeper, "_processes", keeper._listed)
        assert keeper._descendants(os.getpid()) == expected >= {parent.pid, *keeper._descendants(parent.pid)}
        for pid in expected:
            os.kill(pid, signal.SIGKILL)


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


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan"), float("inf")])
def test_a_timeout_is_a_number_of_seconds(timeout: float) -> None:
    with pytest.raises(HandgradError, match=rf"check: a timeout of {timeout:g} s\."):
        check_apart(Request("nowhere.py"), timeout)


def test_a_wrong_request_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(GOOD)
    with pytest.raises(HandgradError, match=r"check: nothing says what to run `forward` on\."):
        check_apart(Request(str(path)))
    with pytest.raises(HandgradError, match=r"check: there is no file nowhere\.py\."):
        check_apart(Request("nowhere.py"))


def test_an_end_before_the_code_ran_is_not_the_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a module of this package cannot be imported."""
    (tmp_path / "torch.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report, _ = _run(tmp_path, GOOD)
    assert report.verdict == "inconclusive"
    assert report.message == "the checker did not start: its process ended with exit status 9"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_are_no_obstacle(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """As a daemon has them: what this process opens then takes their places."""
    path = tmp_path / "code.py"
    path.write_text(GOOD)
    code = f"""
import os, sys
for descriptor in {closed}: os.close(descriptor)
import handgrad
report = handgrad.check({str(path)!r}, inputs=["x=4x3", "w=3x5"], timeout=60)
open({str(tmp_path / "said")!r}, "w").write(report.verdict)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "said").read_text() == "correct"
