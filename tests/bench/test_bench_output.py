"""Tables, files and the picture, from rows that are made up."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
import torch
from made_up import dense, report, row, shape
from rich.console import Console

from handgrad._bench import export, plot, table
from handgrad._bench.run import Report, Result

SECONDS = dense("conv").flop / 1e11


@pytest.fixture
def raced() -> Report:
    line = shape("line", dims=1)
    none = Result("absent", "no such format")
    rows = [
        row(dense("conv"), "y", handgrad=[2 * SECONDS], native=[4 * SECONDS, 5 * SECONDS], channels_last=[SECONDS]),
        row(dense("conv"), "dW", handgrad=[SECONDS], native=Result("wrong", "error 1"), channels_last=[3 * SECONDS]),
        row(line, "y", handgrad=Result(error=float("nan"), times=[1.0]), native=[2.0], channels_last=none),
    ]
    return report(rows, peak=200e9, left_out={"jax": "jax is not installed"})


def lines(*tables: object) -> list[str]:
    """What stands in the tables, with one space between two words."""
    console = Console(width=200, file=StringIO())
    for one in tables:
        console.print(one)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_speeds(raced: Report) -> None:
    printed = lines(*table.speeds(raced))
    assert printed[0] == "float32, 1 thread: GFLOP/s of a peak of 200, and how many times as fast"
    assert "shape op MFLOP handgrad of peak native × channels-last × fastest ×" in printed
    assert "conv y 462 50.0 25% 25.0 2.00 100.0 0.50 100.0 0.50" in printed
    assert "conv dW 462 100.0 50% wrong – 33.3 3.00 33.3 3.00" in printed
    assert "line y 0 0.0 0% 0.0 2.00 – – 0.0 2.00" in printed


def test_several_of_ours_have_a_ratio_each() -> None:
    rows = [row(dense("conv"), "y", handgrad=[SECONDS], **{"handgrad/reference": [4 * SECONDS]}, native=[2 * SECONDS])]
    printed = lines(*table.speeds(report(rows, peak=200e9)))
    assert "shape op MFLOP handgrad of peak hg/reference of peak native handgrad × hg/reference ×" in printed
    assert "conv y 462 100.0 50% 25.0 12% 50.0 2.00 0.50" in printed


def test_figures(raced: Report) -> None:
    printed = lines(*table.figures(raced))
    assert "float32, 1 thread handgrad native all 2.00 – 2.00 2.12 2.00 conv y" in printed
    assert "float32, 1 thread handgrad channels-last all 0.50 3.00 1.22 1.22 0.50 conv y" in printed
    assert "float32, 1 thread handgrad 25% 50%" in printed
    assert "float32, 1 thread channels-last 50% 17%" in printed
    assert not [line for line in printed if line.startswith("error")]


def test_errors() -> None:
    rows = [row(shape("a"), "y", handgrad=Result(error=3.0, times=[1.0]), native=Result(error=2.0, times=[1.0]))]
    assert "float32, 1 thread handgrad 1 1.50 1.50 a y 0" in lines(*table.figures(report(rows)))


def test_a_row_in_a_line(raced: Report) -> None:
    assert [table.words(one) for one in raced.rows] == [
        "conv y float32  handgrad 50.0  native 25.0  channels-last 100.0",
        "conv dW float32  handgrad 100.0  native wrong  channels-last 33.3",
        "line y float32  handgrad 0.0  native 0.0  channels-last absent",
    ]
    assert table.words(row(shape(), "dX", handgrad=Result(extra=3 << 19))) == "small dX float32  handgrad 1.5 MiB"


def test_remarks(raced: Report) -> None:
    assert table.remarks(raced) == [
        "peak: made up",
        "left out: jax: jax is not installed",
        "disqualified: native: error 1 (conv dW)",
        "left out: channels-last: no such format (line y)",
    ]


def test_many_places_are_cut_short() -> None:
    rows = [row(shape(f"s{i}"), "y", handgrad=[1.0], native=Result("failed", "Oh: no")) for i in range(8)]
    assert table.remarks(report(rows))[1] == "failed: native: Oh: no (s0 y, s1 y, s2 y, s3 y, s4 y, and 3 more)"


def test_memories() -> None:
    rows = [
        row(shape(dims=1), "y", handgrad=Result(extra=3 << 19), native=Result("failed", "Oh"), jax=Result("absent"))
    ]
    (head, *rest) = lines(*table.memories(report(rows)))
    assert head == "float32, 1 thread: MiB of operands and result (these), and what a call takes beyond"
    # x 2·4·8, w 6·4·3 and y 2·6·4 numbers are less than a thousandth of a MiB
    assert "small y 0.0 1.5 failed –" in rest


def test_json_holds_everything(raced: Report) -> None:
    read = json.loads(export.as_json(raced))
    assert read["version"] == 1
    assert read["left_out"] == {"jax": "jax is not installed"}
    assert read["peaks"] == [{"dtype": "float32", "threads": 1, "flops": 200e9, "how": "made up"}]
    assert read["machine"]["torch"] == torch.__version__
    first, second, third = read["rows"]
    assert (first["name"], first["op"], first["input"], first["flop"]) == ("conv", "y", "28x28", dense("conv").flop)
    assert first["results"]["native"] == {
        "status": "ok", "reason": "", "error": None, "calls": 2, "best": 4 * SECONDS, "extra": None,
        "median": pytest.approx(4.5 * SECONDS), "flops": pytest.approx(25e9), "of_peak": pytest.approx(0.125),
    }  # fmt: skip
    assert second["results"]["native"]["best"] is None
    assert third["results"]["handgrad"]["error"] is None  # JSON has no NaN
    means = {(mean["peer"], mean["op"]): mean["mean"] for mean in read["summary"]["means"]}
    assert means["native", "y"] == pytest.approx(2.0)
    assert {share["name"] for share in read["summary"]["shares"]} == {"handgrad", "native", "channels-last"}


def test_csv_has_a_line_for_each_contestant_at_each_task(raced: Report) -> None:
    read = list(csv.DictReader(StringIO(export.as_csv(raced))))
    assert [(line["name"], line["op"], line["contestant"], line["status"]) for line in read][:4] == [
        ("conv", "y", "handgrad", "ok"),
        ("conv", "y", "native", "ok"),
        ("conv", "y", "channels-last", "ok"),
        ("conv", "dW", "handgrad", "ok"),
    ]
    assert len(read) == 9
    assert float(read[1]["best"]) == 4 * SECONDS
    assert read[4]["reason"] == "error 1"
    assert export.as_csv(Report(raced.settings)) == ""


def test_the_picture_has_a_point_a_shape(raced: Report) -> None:
    against_native, against_channels_last, against_the_fastest = plot.draw(raced).axes
    (points,) = against_native.collections
    assert points.get_offsets().tolist() == [pytest.approx([25.0, 50.0]), pytest.approx([0.0, 0.0], abs=0.01)]
    assert [text.get_text() for text in against_native.texts] == ["conv y"]
    assert [entry.get_text() for entry in against_native.get_legend().get_texts()] == ["y: × 2.00"]
    assert [c.get_offsets().tolist() for c in against_channels_last.collections] == [
        [pytest.approx([100.0, 50.0])],
        [pytest.approx([100 / 3, 100.0])],
    ]
    assert against_native.get_xlabel() == "native, GFLOP/s"
    assert against_the_fastest.get_xlabel() == "fastest, GFLOP/s"
    assert against_native.get_title() == "float32, 1 thread"
    assert against_native.get_xscale() == against_native.get_yscale() == "log"
    assert against_native.get_xlim() == against_native.get_ylim()


@pytest.mark.parametrize("suffix", plot.SUFFIXES)
def test_the_picture_is_written(suffix: str, raced: Report, tmp_path: Path) -> None:
    raced.rows.append(row(shape(), "y", torch.float64, handgrad=[1.0], native=Result("absent"), channels_last=[1.0]))
    raced.peaks[torch.float64, 1] = raced.peaks[torch.float32, 1]
    plot.save(raced, tmp_path / f"race{suffix}")
    start = (tmp_path / f"race{suffix}").read_bytes()[:8]
    assert start.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])
