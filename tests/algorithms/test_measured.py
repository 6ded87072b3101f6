"""The race and its file: what runs in it, what is kept and for whom, and that a bad file costs a race at most."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import handgrad as hg
from handgrad._algorithms import measured, run, winners
from handgrad._cache import cache_folder
from handgrad._geometry import ConvGeometry

X, W, DY = torch.randn(2, 3, 6, 5), torch.randn(4, 3, 3, 2), torch.randn(2, 4, 4, 4)
GEOMETRY = ConvGeometry((6, 5), (4, 4), (3, 2), (1, 1), (1, 1), ((0, 0), (0, 0)), 1)
ALLOWED = ("reference", "native")
WORDS = "conv N2 C3 O4 groups 1 input 6x5 output 4x4 kernel 3x2 stride 1x1 dilation 1x1 padding 0+0x0+0, float32, contiguous, contiguous, threads 1"  # noqa: E501


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and a process that knows nothing yet."""
    monkeypatch.setenv("HANDGRAD_CACHE", str(tmp_path / "cache"))
    forget(monkeypatch)
    return tmp_path / "cache"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winners, "_read", {})
    monkeypatch.setattr(run, "_chosen", {})


def fixed(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> list[str]:
    """Races that end like this; what they are of is noted down."""
    held: list[str] = []

    def race(op: str, *_: object) -> dict[str, float]:
        held.append(op)
        return {name.replace("_", ":").replace("channels:last", "channels-last"): t for name, t in seconds.items()}

    monkeypatch.setattr(measured, "race", race)
    return held


def test_everybody_who_can_runs_and_the_fastest_is_taken() -> None:
    times = measured.race("conv", X, W, GEOMETRY, ALLOWED)
    assert set(times) == {"reference", "native", "native:channels-last"}
    assert all(0 < seconds < 1 for seconds in times.values())
    assert set(measured.race("conv", X.cfloat(), W.cfloat(), GEOMETRY, ALLOWED)) == {"reference"}


def test_who_is_far_behind_no_longer_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    clock = iter(range(10**9))
    monkeypatch.setattr(measured, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(measured, "_ENOUGH", 10**9)
    monkeypatch.setattr(measured, "_seconds", lambda run: ran.append(run.func.__module__) or {"reference": 1.0}.get(
        run.func.__module__.rpartition(".")[2], 4.0
    ))  # fmt: skip
    measured.race("conv", X, W, GEOMETRY, ALLOWED)
    assert [name.rpartition(".")[2] for name in ran[:3]] == ["reference", "native", "channels_last"]
    assert set(ran[3:]) == {"handgrad._algorithms.reference"}
    assert len(ran) == 2 + measured._ROUNDS


def test_once_for_each_kind_and_never_again(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    held = fixed(monkeypatch, reference=2.0, native=3.0, gemm=9.0, depthwise=9.0, native_channels_last=1.0)
    with hg.set_algorithm("measured"):
        for _ in range(2):
            hg.conv2d(X, W)
        assert held == ["conv"]
        hg.conv2d_backward(DY, X, W)
        hg.conv2d(X[:1], W)
        hg.conv2d(X.double(), W.double())
        hg.conv2d(X.to(memory_format=torch.channels_last), W)
        assert held == ["conv", "conv_input", "conv_weight", "conv", "conv", "conv"]
        forget(monkeypatch)  # as in another process
        hg.conv2d(X, W)
        assert len(held) == 6
    content = json.loads((folder / "measured.json").read_text())
    fastest = {"native:channels-last": 1000.0, "reference": 2000.0, "native": 3000.0, "gemm": 9000.0, "depthwise": 9e3}
    assert content["milliseconds"][WORDS] == fastest
    assert [*content["milliseconds"][WORDS]][:3] == [*fastest][:3]
    assert f'"{WORDS}": {{"native:channels-last": 1000.0, ' in (folder / "measured.json").read_text()


@pytest.mark.parametrize(("seconds", "module"), [((1.0, 2.0), "reference"), ((2.0, 1.0), "native")])
def test_the_winner_computes(seconds: tuple[float, float], module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed(monkeypatch, reference=seconds[0], native=seconds[1])
    with hg.set_algorithm("measured", exclude=["gemm", "depthwise"]):
        hg.conv2d(X, W)
    assert [chosen.__name__ for chosen in run._chosen.values()] == [f"handgrad._algorithms.{module}"]


def test_what_is_excluded_does_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"reference": 2.0, "native": 1.0, "native:channels-last": 1.0}
    monkeypatch.setattr(measured, "race", lambda *args: {name: names[name] for name in measured.candidates(*args)})
    assert measured.winner("conv", X, W, GEOMETRY, ALLOWED) == "native"
    assert measured.winner("conv", X, W, GEOMETRY, ("reference",)) == "reference"
    forget(monkeypatch)
    assert measured.winner("conv", X, W, GEOMETRY, ("reference",)) == "reference"
    assert measured.winner("conv", X, W, GEOMETRY, ALLOWED) == "native"


DAMAGES = {
    "half": lambda text: text[: len(text) // 2],
    "nothing": lambda _: "",
    "a list": lambda _: "[]",
    "no numbers": lambda text: text.replace("1000.0", '"fast"'),
    "not a number": lambda text: text.replace("1000.0", "NaN"),
    "less than nothing": lambda text: text.replace("1000.0", "-1"),
    "another format": lambda text: text.replace('"format": 1', '"format": 2'),
    "another machine": lambda text: text.replace('"machine": "', '"machine": "not '),
    "bytes": lambda _: "\udcff\udcfe",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_file_counts_for_nothing_and_is_replaced(
    damage: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    times = {"reference": 1.0, "native": 2.0, "native_channels_last": 3.0}
    held = fixed(monkeypatch, **times)
    measured.winner("conv", X, W, GEOMETRY, ALLOWED)
    good = (folder / "measured.json").read_text()
    (folder / "measured.json").write_text(DAMAGES[damage](good), errors="surrogateescape")
    forget(monkeypatch)
    assert measured.winner("conv", X, W, GEOMETRY, ALLOWED) == "reference"
    assert held == ["conv", "conv"]
    assert (folder / "measured.json").read_text() == good


def test_a_folder_that_cannot_be_written_costs_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HANDGRAD_CACHE", str(tmp_path / "file" / "cache"))
    held = fixed(monkeypatch, reference=1.0, native=2.0, native_channels_last=3.0)
    with pytest.warns(hg.HandgradWarning, match="remembered by this process alone, .*measured.json cannot be written"):
        measured.winner("conv", X, W, GEOMETRY, ALLOWED)
    measured.winner("conv", X, W, GEOMETRY, ALLOWED)
    assert held == ["conv"]


WRITER = """
import sys
from handgrad._algorithms import winners
for i in range(25):
    winners.keep(f"{sys.argv[1]} {i}", {"native": 1.0 + i})
    winners._read.clear()
"""


@pytest.mark.slow
def test_writers_at_once_lose_nothing(folder: Path) -> None:
    command, names = [sys.executable, "-c", WRITER], ["a", "b", "c"]
    writers = [subprocess.Popen([*command, name]) for name in names]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert set(winners.known()) == {f"{name} {i}" for name in names for i in range(25)}
    assert sorted(path.name for path in folder.iterdir()) == ["measured.json", "measured.lock"]


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"HANDGRAD_CACHE": "/a/b"}, "/a/b"),
        ({"HANDGRAD_CACHE": "~/b"}, "/home/b"),
        ({"HANDGRAD_CACHE": "", "XDG_CACHE_HOME": "/c"}, "/c/handgrad"),
        ({"HANDGRAD_CACHE": "", "XDG_CACHE_HOME": ""}, "/home/.cache/handgrad"),
    ],
)
def test_where_the_cache_is(environment: dict[str, str], path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(path)


def test_a_forked_child_can_race() -> None:
    with measured._racing:  # as if a thread of the parent were in the middle of a race
        child = os.fork()
        if child == 0:
            os._exit(0 if measured._racing.acquire(timeout=5) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
