"""What a call takes is seen, and only that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from made_up import report, row, shape

from handgrad._bench import memory
from handgrad._bench.contestants import CannotEnter, Entry
from handgrad._bench.run import Result
from handgrad._bench.suite import Shape
from handgrad._bench.task import Task

MIB = 1 << 20
LARGE = Shape("large", 1, 16, 16, 1, (64, 64), (3, 3), (1, 1), (1, 1), (1, 1))


def scratching(size: int) -> Callable[[str, Task], Entry]:
    """A contestant that uses so many bytes on the way."""

    def enter(_: str, task: Task) -> Entry:
        result = task.truth().to(task.dtype)

        def call() -> torch.Tensor:
            torch.ones(size // 4)  # float32, and every page is written
            return result.clone()

        return Entry(call)

    return enter


@pytest.mark.parametrize("mib", [0, 64, 192])  # less might be taken from what this process had freed
def test_what_is_used_on_the_way_is_seen(mib: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "enter", scratching(mib * MIB))
    result = memory.measured("any", Task(LARGE, "y"))
    assert result.status == "ok"
    assert result.error is not None
    assert result.extra == pytest.approx(mib * MIB, abs=4 * MIB)


def test_the_result_itself_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "enter", scratching(0))
    wide = replace(LARGE, O=2048)  # 32 MiB
    assert memory.measured("any", Task(wide, "y")).extra == pytest.approx(0, abs=4 * MIB)


def test_a_small_call_of_the_same_kind_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, Shape]] = []

    def enter(name: str, task: Task) -> Entry:
        entry = scratching(0)(name, task)
        return Entry(lambda: called.append((name, task.shape)) or entry.call())

    monkeypatch.setattr(memory, "enter", enter)
    memory.measured("native", Task(replace(LARGE, N=3, stride=(2, 1)), "dX"))
    (_, first), (_, second) = called
    assert (first.N, first.input, first.y) == (1, (3, 2), (1, 16, 2, 2))
    assert (first.C, first.O, first.kernel) == (second.C, second.O, second.kernel)


def test_our_kernels_are_loaded_before_whatever_small_calls_would_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def enter(name: str, task: Task) -> Entry:
        entry = scratching(0)(name, task)
        return Entry(lambda: called.append(name) or entry.call())

    monkeypatch.setattr(memory, "enter", enter)
    memory.measured("handgrad", Task(LARGE, "y"))
    assert called == ["handgrad", "handgrad/own", "handgrad"]


def test_of_ours_the_second_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first may have to compile."""
    extras = iter([100, 7, 30])
    monkeypatch.setattr(memory, "_in_process", lambda *_: Result(extra=next(extras)))
    task_row = row(LARGE, "y", handgrad=[], native=[])
    found = memory.in_processes(task_row.task, report([task_row])).results
    assert {name: result.extra for name, result in found.items()} == {"handgrad": 7, "native": 30}


@pytest.mark.parametrize("padding", [0, 5])
def test_the_small_call_is_possible(padding: int) -> None:
    for dims in (1, 2, 3):
        small = memory._small(replace(shape(dims=dims), padding=(padding,) * dims))
        assert min(small.y) >= 1
        assert all(size <= whole for size, whole in zip(small.input, shape(dims=dims).input, strict=True))


def test_who_cannot_or_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> Entry:
        raise CannotEnter("only on Sundays")

    monkeypatch.setattr(memory, "enter", absent)
    assert memory.measured("any", Task(LARGE, "y")) == Result("absent", "only on Sundays")
    monkeypatch.setattr(memory, "enter", lambda _, task: Entry(lambda: 2 * task.truth().to(task.dtype)))
    result = memory.measured("any", Task(LARGE, "y"))
    assert (result.status, result.extra) == ("wrong", None)
    assert result.reason.startswith("error ")
    monkeypatch.setattr(memory, "enter", lambda *_: Entry(lambda: torch.ones(2) @ torch.ones(3)))
    result = memory.measured("any", Task(LARGE, "y"))
    assert result.status == "failed"
    assert result.reason.startswith("RuntimeError: inconsistent tensor size")


@pytest.mark.slow
def test_each_in_a_process_of_its_own() -> None:
    """Unfolding takes at least its columns, 16·9·64² numbers; handgrad comes back with the same task done."""
    rows = [row(LARGE, "dX", torch.float64, handgrad=[], unfold=[], nobody=[])]
    found = memory.in_processes(rows[0].task, report(rows)).results
    assert found["handgrad"].status == found["unfold"].status == "ok"
    assert found["unfold"].extra == pytest.approx(16 * 9 * 64**2 * 8, rel=0.5, abs=2 * MIB)
    assert found["handgrad"].error == pytest.approx(0, abs=1e-12)


def test_a_process_that_fails_or_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "executable", "/bin/false")
    assert memory._in_process("native", Task(shape(), "y")) == Result("failed", "exit status 1")
    monkeypatch.setattr(memory, "TIMEOUT", 0.0)
    assert memory._in_process("native", Task(shape(), "y")) == Result("failed", "took more than 0.0 s")


def test_without_proc_the_system_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    by_proc = memory._peak()
    monkeypatch.setattr(memory.Path, "exists", lambda _: False)
    assert memory._reset_peak() == pytest.approx(by_proc, abs=MIB)
