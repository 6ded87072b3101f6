"""The figures at the end, from rows whose figures are known."""

from __future__ import annotations

import pytest
import torch
from made_up import dense, report, row, shape

from handgrad._bench import summary
from handgrad._bench.run import Report, Result


def mean(found: list[summary.Mean], kind: str, op: str, peer: str = "native") -> summary.Mean:
    (one,) = [m for m in found if (m.kind, m.op, m.peer) == (kind, op, peer)]
    return one


@pytest.fixture
def raced() -> Report:
    depthwise, first, grouped = shape("dw", C=4, O=4, groups=4), shape("first", C=1), shape("a", groups=2)
    return report(
        [
            row(grouped, "y", handgrad=[1.0, 2.0, 3.0], native=[2.0, 2.0, 2.0], channels_last=[4.0]),
            row(depthwise, "y", handgrad=[1.0], native=[8.0], channels_last=Result("absent", "")),
            row(depthwise, "dW", handgrad=[2.0], native=[1.0], channels_last=[2.0]),
            row(first, "dW", handgrad=[1.0], native=[32.0], channels_last=Result("wrong", "")),
        ]
    )


def test_geometric_means_by_operation_and_kind(raced: Report) -> None:
    found = summary.means(raced)
    y = mean(found, "all", "y")
    assert (y.count, y.mean, y.worst, y.worst_at) == (2, pytest.approx(4.0), 2.0, "a y")
    assert y.median_mean == pytest.approx((1.0 * 8.0) ** 0.5)
    assert mean(found, "all", "dW").mean == pytest.approx(4.0)  # √(½ · 32)
    everything = mean(found, "all", "all")
    assert (everything.count, everything.mean) == (4, pytest.approx(4.0))
    assert (everything.worst, everything.worst_at) == (0.5, "dw dW")
    depthwise = mean(found, "depthwise", "all")
    assert (depthwise.count, depthwise.mean) == (2, pytest.approx(2.0))
    assert mean(found, "1 channel", "dW").mean == pytest.approx(32.0)


def test_who_did_not_run_is_not_counted(raced: Report) -> None:
    found = summary.means(raced)
    assert mean(found, "all", "y", "channels-last").count == 1
    assert not [m for m in found if (m.kind, m.peer) == ("1 channel", "channels-last")]


def test_each_dtype_and_number_of_threads_stands_alone() -> None:
    rows = [row(shape(), "y", d, handgrad=[1.0], native=[r]) for d, r in ((torch.float32, 2.0), (torch.float64, 5.0))]
    assert [(m.dtype, m.mean) for m in summary.means(report(rows))] == [
        (torch.float32, pytest.approx(2.0)),
        (torch.float64, pytest.approx(5.0)),
    ]


def test_the_median_share_of_the_peak_is_that_of_large_dense_shapes() -> None:
    large, wider, narrow = dense("large"), dense("wider", C=128), dense("narrow", C=16)
    assert [summary.is_large(at) for at in (large, wider, narrow, shape())] == [True, True, False, False]
    seconds = large.flop / 1e12
    rows = [
        row(large, "y", handgrad=[2 * seconds], native=[4 * seconds]),
        row(wider, "y", handgrad=[10 * seconds], native=[4 * seconds]),  # of twice as much
        row(narrow, "y", handgrad=[seconds], native=[seconds]),
    ]
    shares = {(s.name, s.op): (s.count, s.share) for s in summary.shares(report(rows))}
    assert shares == {("handgrad", "y"): (2, pytest.approx(0.35)), ("native", "y"): (2, pytest.approx(0.375))}


@pytest.mark.parametrize(
    ("C", "O", "groups", "size", "large"),
    [
        (64, 64, 1, 28, True),
        (64, 64, 2, 28, False),
        (31, 64, 1, 64, False),
        (64, 31, 1, 64, False),
        (64, 64, 1, 9, False),
    ],
)
def test_what_is_large(C: int, O: int, groups: int, size: int, large: bool) -> None:
    at = summary.Shape("", 8, C, O, groups, (size, size), (3, 3), (1, 1), (1, 1), (1, 1))
    assert summary.is_large(at) is large


def test_errors_as_multiples_of_natives() -> None:
    eps = torch.finfo(torch.float32).eps
    mine = {"a": 3 * eps, "b": 40 * eps, "c": 30 * eps}
    rows = [row(shape(n), "y", handgrad=Result(error=e), native=Result(error=10 * eps)) for n, e in mine.items()]
    rows.append(row(shape("exact"), "y", handgrad=Result(error=0.0), native=Result(error=0.0)))
    (found,) = summary.accuracies(report(rows))
    assert (found.count, found.median, found.worst) == (3, pytest.approx(3.0), pytest.approx(4.0))
    assert (found.worst_at, found.over) == ("b y", 2)


def test_without_native_there_is_nothing_to_compare_errors_with() -> None:
    assert summary.accuracies(report([row(shape(), "y", handgrad=Result(error=1.0), matmul=Result(error=1.0))])) == []
