"""The race, by a clock that the contestants move, and the check before it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import groupby

import pytest
import torch
from made_up import dense, shape
from torch import Tensor

from handgrad._bench import race
from handgrad._bench.race import Wrong
from handgrad._bench.task import Task


class Track:
    """A clock that stands still but for the contestants' calls, and remembers who ran."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ran: list[str] = []

    def clock(self) -> float:
        return self.now

    def runner(self, name: str, *seconds: float) -> Callable[[], None]:
        """Takes these times, the last of them for ever."""

        def call() -> None:
            self.ran.append(name)
            self.now += seconds[min(self.ran.count(name), len(seconds)) - 1]

        return call


def test_everybody_runs_as_often_and_as_long_as_asked() -> None:
    track = Track()
    calls = {"fast": track.runner("fast", 0.03125), "slow": track.runner("slow", 2.0, 1.0)}
    times = race.race(calls, seconds=0.25, repeats=3, clock=track.clock)
    assert times == {"fast": [0.03125] * 8, "slow": [2.0] + [1.0] * 7}


def test_they_take_turns_and_the_first_becomes_the_last() -> None:
    track = Track()
    race.race({name: track.runner(name, 1.0) for name in "abc"}, seconds=0, repeats=4, clock=track.clock)
    assert "".join(track.ran) == "abc" + "bca" + "cab" + "abc"


def test_a_turn_of_short_calls_lasts_until_the_threads_of_the_one_before_sleep() -> None:
    track = Track()
    race.race({name: track.runner(name, 1 / 1024) for name in "ab"}, seconds=0, repeats=1, clock=track.clock)
    turns = [(name, len(list(calls))) for name, calls in groupby(track.ran)]
    assert turns == [("a", 11), ("b", 11)]  # the first number of 1/1024 s that is a hundredth


def test_nobody_to_race() -> None:
    assert race.race({}, seconds=1, repeats=1) == {}


def test_the_collector_waits() -> None:
    states: list[bool] = []
    race.race({"a": lambda: states.append(gc.isenabled())}, seconds=0, repeats=1)
    assert not any(states)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        race.race({"a": lambda: 1 / 0}, seconds=0, repeats=1)
    assert gc.isenabled()


def test_the_error_is_in_units_of_the_typical_number() -> None:
    truth = torch.tensor([3.0, -4.0], dtype=torch.float64)  # root mean square √12.5
    assert race.error_of(torch.tensor([3.0, -3.5]), truth, torch.float32) == pytest.approx(0.5 / 12.5**0.5)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (torch.zeros(3, 2), r"shape \(3, 2\) instead of \(2, 3\)"),
        (torch.zeros(2, 3, dtype=torch.float64), r"torch\.float64 instead of torch\.float32"),
        (None, r"shape NoneType instead of \(2, 3\)"),
    ],
)
def test_what_is_no_answer(found: object, message: str) -> None:
    with pytest.raises(Wrong, match=message):
        race.error_of(found, torch.ones(2, 3, dtype=torch.float64), torch.float32)


def error(result: Tensor, task: Task) -> float:
    return race.error_of(result, task.truth(), task.dtype)


@pytest.mark.parametrize("op", ["y", "dW", "dX"])
def test_rounding_passes(op: str) -> None:
    for at in (shape(), dense("d", C=32)):
        task = Task(at, op)
        race.check(error(task.truth().float(), task), task)
        in_halves = task.truth().bfloat16().float()
        with pytest.raises(Wrong, match=r"error .*, rounding explains "):
            race.check(error(in_halves, task), task)


def test_one_product_left_out_does_not_pass() -> None:
    task = Task(dense("d", C=32), "dW")  # each number is a sum of 6272 products
    wrong = task.truth().float()
    wrong[0, 0, 1, 1] -= task.dy[3, 0, 5, 5] * task.x[3, 0, 5, 5]
    with pytest.raises(Wrong):
        race.check(error(wrong, task), task)


def test_nan_does_not_pass() -> None:
    task = Task(shape(), "y")
    with pytest.raises(Wrong, match="error nan"):
        race.check(error(task.truth().float() * float("nan"), task), task)
