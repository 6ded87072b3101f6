"""`handgrad bench`: what it prints, writes, refuses, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from commands import run as command

from handgrad._bench import memory, run
from handgrad._bench.contestants import Entry, enter
from handgrad._bench.peak import Peak
from handgrad._bench.run import Report, Result, Row
from handgrad._bench.task import Task

QUICK = ("--seconds", 0, "--repeats", 1)


@pytest.fixture(autouse=True)
def _nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "measure", lambda *_: Peak(1e11, "made up"))


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    header = "name,dims,N,C,O,groups,input,kernel,stride,padding,dilation,source"
    lines = ["one,1,2,4,6,1,8,3,2,1,1,a test", "two,2,2,4,6,2,8x7,3x2,2x1,1x0,1x2,a test"]
    path = tmp_path / "own.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_a_whole_race(suite: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("race.json", "race.csv", "race.svg")]
    places = [part for kind, file in zip(("json", "csv", "plot"), files, strict=True) for part in (f"--{kind}", file)]
    result = command("bench", "--suite", suite, "--against", "native,unfold", *QUICK, *places)
    assert "float32, 1 thread: GFLOP/s of a peak of 100, and how many times as fast" in result.stdout
    assert "how many times as fast: geometric mean of the fastest calls" in result.stdout
    assert "left out: unfold: F.unfold takes images only (one y, one dW, one dX)" in result.stdout
    assert [line.split()[:2] for line in result.stderr.splitlines()] == [
        [name, op] for name in ("one", "two") for op in ("y", "dW", "dX")
    ]
    assert result.stdout.splitlines()[-3:] == [f"written: {file}" for file in files]
    rows = json.loads(files[0].read_text())["rows"]
    assert [row["results"]["handgrad"]["status"] for row in rows] == ["ok"] * 6
    assert files[1].read_text().count("\n") == 1 + 6 * 3
    assert files[2].read_text().startswith("<?xml")


def test_only_what_is_asked_for(suite: Path) -> None:
    words = ("--shapes", "t*", "--op", "dW", "--dtype", "float64", "--threads", 2, "--against", "native")
    result = command("bench", "--suite", suite, *words, *QUICK)
    assert "float64, 2 threads" in result.stdout
    assert "float32" not in result.stdout
    assert [line.split()[:3] for line in result.stderr.splitlines()] == [["two", "dW", "float64"]]


def test_alone(suite: Path) -> None:
    result = command("bench", "--suite", suite, "--against", "", *QUICK)
    assert "shape  op  MFLOP  handgrad  of peak" in result.stdout
    assert "how many times as fast: geometric mean" not in result.stdout


def test_a_bar_in_a_terminal(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    result = command("bench", "--suite", suite, "--op", "y", "--against", "native", *QUICK)
    assert "two y" in result.stderr
    assert "2/2" in result.stderr
    assert "handgrad" not in result.stderr


def test_exit_status_says_if_we_are_wrong(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_wrong(wrong: str) -> None:
        def entered(name: str, task: Task) -> Entry:
            return Entry(lambda: torch.zeros(1)) if name == wrong else enter(name, task)

        monkeypatch.setattr(run, "enter", entered)

    words = ("bench", "--suite", suite, "--op", "y", "--against", "native", *QUICK)
    with_wrong("native")
    assert "disqualified: native: shape (1,) instead of (2, 6, 4) (one y)" in command(*words).stdout
    with_wrong("handgrad")
    assert "disqualified: handgrad: shape" in command(*words, exit_code=1).stdout


def test_peak_memory(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = {"handgrad": Result(extra=1 << 20), "native": Result(extra=1 << 21)}
    monkeypatch.setattr(memory, "_in_process", lambda name, _: measured[name])
    result = command("bench", "--suite", suite, "--op", "y", "--against", "native", "--peak-memory")
    assert "float32, 1 thread: MiB of operands and result (these), and what a call takes beyond" in result.stdout
    assert [line.split() for line in result.stdout.splitlines() if line.startswith(" one")] == [
        ["one", "y", "0.0", "1.0", "2.0"]
    ]
    assert "GFLOP/s" not in result.stdout
    assert "peak:" not in result.stdout


def test_ctrl_c_shows_what_there_is(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run.run

    def stopped(report: Report, measured: object) -> Iterator[Row]:
        for row in whole(report, measured):
            yield row
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "run", stopped)
    place = tmp_path / "race.json"
    result = command("bench", "--suite", suite, *QUICK, "--json", place, exit_code=130)
    assert "stopped; this is what was measured:" in result.stderr
    assert "one    y" in result.stdout
    assert len(json.loads(place.read_text())["rows"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--op", "dw"], "error: bench: unknown op 'dw'."),
        (["--suite", "alexnet"], "error: bench: unknown suite 'alexnet'."),
        (["--suite", "none.csv"], "error: none.csv: No such file or directory"),
        (["--threads", "0"], "error: bench: threads must be numbers of at least 1"),
        (["--seconds", "nan"], "nan is not a finite number."),
        (["--repeats", "0"], "0 is not in the range x>=1."),
        (["--plot", "race.jpg"], "race.jpg: the ending must be one of .png, .svg, .pdf"),
        (["--json", "nowhere/race.json"], "nowhere/race.json: its folder does not exist"),
        (["--plot", "race.png", "--against", ""], "--plot shows ours against theirs; name a peer with --against"),
        (["--plot", "race.png", "--peak-memory"], "--plot shows speed; leave it out with --peak-memory"),
    ],
)
def test_what_is_refused(words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused = command("bench", *words, exit_code=1 if "none.csv" in words else 2)
    assert message in refused.stderr


def test_help_names_all_there_is() -> None:
    from handgrad._bench.contestants import PEERS, SAMPLERS
    from handgrad._bench.suite import SUITES
    from handgrad._bench.task import DTYPES, EACH, OPS

    text = command("bench", "--help").stdout
    assert [word for word in (*PEERS, *SAMPLERS, *SUITES, *OPS, *EACH, *DTYPES) if word not in text] == []
