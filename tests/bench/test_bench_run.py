"""A run: who may race, who is told why not, and what is left as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_up import report, row, shape

from handgrad import HandgradError
from handgrad._bench import run, settings
from handgrad._bench.contestants import SAMPLERS, CannotEnter, Entry
from handgrad._bench.peak import Peak
from handgrad._bench.run import FASTEST, Report, Result, Row, timed
from handgrad._bench.settings import Settings, settle
from handgrad._bench.task import OPS, Task


def right(task: Task) -> Entry:
    result = task.truth().to(task.dtype)
    return Entry(lambda: result.clone())


def wrong(task: Task) -> Entry:
    result = 2 * task.truth().to(task.dtype)
    return Entry(lambda: result)


def raising(_: Task) -> Entry:
    return Entry(lambda: torch.ones(2) @ torch.ones(3))


def absent(_: Task) -> Entry:
    raise CannotEnter("only on Sundays")


FIELD: dict[str, Callable[[Task], Entry]] = {"handgrad": right, "native": wrong, "jax": raising, "unfold": absent}


@pytest.fixture(autouse=True)
def _nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "measure", lambda dtype, threads: Peak(1e9 * threads, f"{dtype}"))


@pytest.fixture
def _field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "enter", lambda name, task: FIELD[name](task))


def small(**more: object) -> Settings:
    return Settings(**{"shapes": [shape()], "seconds": 0, "repeats": 2, "ops": ["y"], **more})


@pytest.mark.usefixtures("_field")
def test_who_is_wrong_or_fails_is_named_and_the_others_race() -> None:
    report = Report(small(peers=["native", "jax", "unfold"]))
    (row,) = run.run(report, timed)
    told = {name: (result.status, result.reason) for name, result in row.results.items()}
    assert told["handgrad"] == ("ok", "")
    assert told["native"][0] == "wrong"
    assert told["native"][1].startswith("error ")
    assert told["jax"][0] == "failed"
    assert told["jax"][1].startswith("RuntimeError: inconsistent tensor size")
    assert "\n" not in told["jax"][1]
    assert told["unfold"] == ("absent", "only on Sundays")
    assert {name: bool(result.times) for name, result in row.results.items()} == {
        "handgrad": True, "native": False, "jax": False, "unfold": False
    }  # fmt: skip
    assert row.results["native"].error
    assert row.results["handgrad"].error is not None
    assert row.gflops("native") is None
    assert row.ratio("handgrad", "native") is None
    assert row.median_ratio("handgrad", "native") is None
    assert report.of_peak(row, "native") is None


def test_what_does_not_fit_into_memory_fails_alone() -> None:
    wide = replace(shape("wide"), N=1 << 45)
    report = Report(small(shapes=[wide, shape()], peers=["native"]))
    first, second = run.run(report, timed)
    for result in first.results.values():
        assert result.status == "failed"
        assert result.reason.startswith("RuntimeError: ")
        assert "\n" not in result.reason
    assert [result.status for result in second.results.values()] == ["ok", "ok"]


@pytest.mark.usefixtures("_field")
def test_every_task_has_its_turn_with_its_own_threads() -> None:
    before = torch.get_num_threads()
    seen: list[tuple[object, ...]] = []

    def measured(task: Task, _: Report) -> Row:
        seen.append((torch.get_num_threads(), task.threads, task.dtype, task.shape.name, task.op))
        return Row(task, {})

    dtypes = (torch.float32, torch.float64)
    report = Report(small(shapes=[shape("a"), shape("b")], ops=["y", "dX"], dtypes=dtypes, threads=[2, 1]))
    list(run.run(report, measured))
    assert seen == [(n, n, d, s, op) for n in (2, 1) for d in dtypes for s in "ab" for op in ("y", "dX")]
    assert torch.get_num_threads() == before
    assert list(report.parts()) == [(d, n) for n in (2, 1) for d in dtypes]


def test_threads_are_given_back_by_a_run_that_stops() -> None:
    before = torch.get_num_threads()

    def stopping(task: Task, report: Report) -> Row:
        if report.rows:
            raise KeyboardInterrupt
        return Row(task, {})

    report = Report(small(threads=[before + 1], ops=OPS))
    with pytest.raises(KeyboardInterrupt):
        list(run.run(report, stopping))
    assert len(report.rows) == 1
    assert torch.get_num_threads() == before


@pytest.mark.usefixtures("_field")
def test_the_highest_peak_of_a_dtype_and_a_number_of_threads_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([Peak(2e9, "a"), Peak(3e9, "b"), Peak(1e9, "c"), Peak(7e9, "d")])
    monkeypatch.setattr(run, "measure", lambda *_: next(peaks))
    report = Report(small(ops=OPS, threads=[1], peers=[]))
    list(run.run(report, timed))
    assert report.peaks == {(torch.float32, 1): Peak(3e9, "b")}


def test_figures_of_a_row() -> None:
    task = Task(shape(), "y")
    times = {"handgrad": [3.0, 1.0, 2.0], "native": [4.0, 9.0, 5.0]}
    row = Row(task, {name: run.Result(times=taken) for name, taken in times.items()})
    assert row.gflops("handgrad") == pytest.approx(task.shape.flop / 1e9)
    assert row.ratio("handgrad", "native") == 4.0
    assert row.median_ratio("handgrad", "native") == 2.5
    report = Report(small(), {(torch.float32, task.threads): Peak(task.shape.flop * 2.0, "")}, [row])
    assert report.of_peak(row, "handgrad") == 0.5


@pytest.fixture
def _no_jax(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "missing", lambda name: "jax is not installed" if name == "jax" else None)
    return iter(())


WORDS = {
    "suite_name": "lenet", "patterns": "", "op": "y,dW,dX", "dtype": "float32", "threads": "", "algorithm": "auto",
    "against": "native",
}  # fmt: skip


@pytest.mark.usefixtures("_no_jax")
def test_words_become_settings() -> None:
    words = {"patterns": "c3,c5", "op": "dX, y", "dtype": "float64,float32", "threads": "2,1", "against": "jax,matmul"}
    chosen = settle(**WORDS | words, seconds=0.5, repeats=7)
    assert [at.name for at in chosen.shapes] == ["c3", "c5"]
    assert list(chosen.ops) == ["y", "dX"]
    assert list(chosen.dtypes) == [torch.float64, torch.float32]
    assert list(chosen.threads) == [2, 1]
    assert (chosen.own, chosen.peers) == (["handgrad"], ["matmul"])
    assert chosen.left_out == {"jax": "jax is not installed"}
    assert (chosen.seconds, chosen.repeats) == (0.5, 7)
    assert settle(**WORDS | {"against": ""}).peers == []
    assert settle(**WORDS | {"algorithm": "auto,own"}).own == ["handgrad", "handgrad/own"]
    assert list(settle(**WORDS).threads) == [torch.get_num_threads()]
    assert len(settle(**WORDS).shapes) == 3


def test_who_takes_part_follows_from_what_is_computed() -> None:
    def chosen(**words: object) -> tuple[list[str], set[str]]:
        found = settle(**WORDS | {"op": "", "against": None} | words)  # type: ignore[arg-type]  # words for words
        return list(found.ops), {*found.peers, *found.left_out}

    usual, samplers = {"native", "channels-last"}, set(SAMPLERS)
    assert chosen() == (["y", "dW", "dX"], usual)
    assert chosen(suite_name="per-sample") == (["samples", "norms"], samplers)
    assert chosen(op="norms") == (["norms"], samplers)
    assert chosen(op="norms,dW") == (["dW", "norms"], usual | samplers)
    assert chosen(suite_name="per-sample", op="y", against="unfold") == (["y"], {"unfold"})


def test_the_fastest_is_the_fastest_of_the_peers_that_are_right() -> None:
    at = row(shape(), "dW", handgrad=[1.0], native=[4.0, 5.0], unfold=[2.0, 9.0], matmul=[0.5], jax=Result("wrong"))
    assert at.result(FASTEST) is at.results["unfold"]
    assert at.ratio("handgrad", FASTEST) == 2
    assert at.median_ratio("handgrad", FASTEST) == 5.5
    assert row(shape(), "dW", handgrad=[1.0], native=Result("wrong")).ratio("handgrad", FASTEST) is None
    assert report([at]).against() == ["native", "unfold", "matmul", "jax", FASTEST]
    assert report([row(shape(), "dW", handgrad=[1.0], native=[4.0], matmul=[1.0])]).against() == ["native", "matmul"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"op": "dw"}, "bench: unknown op 'dw'.\n  known  y, dW, dX"),
        ({"dtype": "float16"}, "bench: unknown dtype 'float16'.\n  known  float32, float64"),
        ({"against": "cudnn"}, "bench: unknown peer 'cudnn'.\n  known  native, channels-last, unfold, matmul, jax"),
        (
            {"algorithm": "fft"},
            "bench: unknown algorithm 'fft'.\n  known  auto, reference, gemm, ",
        ),
        ({"threads": "0"}, "bench: threads must be numbers of at least 1 with commas between them.\n  threads  '0'"),
        (
            {"threads": "two"},
            "bench: threads must be numbers of at least 1 with commas between them.\n  threads  'two'",
        ),
        ({"op": "y,,dW"}, "bench: op must be words with commas between them.\n  op  'y,,dW'"),
        ({"patterns": ","}, "bench: shapes must be words with commas between them.\n  shapes  ','"),
    ],
)
def test_words_that_mean_nothing(words: dict[str, str], message: str) -> None:
    with pytest.raises(HandgradError) as raised:
        settle(**WORDS | words)
    assert str(raised.value).startswith(message)


def test_a_file_of_shapes_may_be_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("name,dims,N,C,O,groups,input,kernel,stride,padding,dilation\na,1,1,1,1,1,5,3,1,0,1\n")
    assert [at.name for at in settle(**WORDS | {"suite_name": str(path)}).shapes] == ["a"]
