"""Suites: those that come with the package are the published networks, and a bad file is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from made_up import shape
from torch.utils.flop_counter import FlopCounterMode

from handgrad import HandgradError
from handgrad._bench import suite
from handgrad._bench.suite import SUITES, Shape

HEADER = "name,dims,N,C,O,groups,input,kernel,stride,padding,dilation"
GOOD = "a,2,2,4,6,2,8x7,3x2,2x1,1x0,1x2"


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def sizes(at: Shape) -> tuple[object, ...]:
    return at.C, at.O, at.groups, at.input, at.kernel, at.stride, at.padding


def test_a_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", HEADER, GOOD, "b,1,1,1,1,1,5,3,1,0,1")
    first, second = suite.load(str(path))
    assert first == Shape("a", 2, 4, 6, 2, (8, 7), (3, 2), (2, 1), (1, 0), (1, 2))
    assert (first.x, first.w, first.y) == ((2, 4, 8, 7), (6, 2, 3, 2), (2, 6, 4, 5))
    assert (second.name, second.dims, second.y) == ("b", 1, (1, 1, 3))


@pytest.mark.parametrize("name", SUITES)
def test_the_suites_that_come_with_it(name: str) -> None:
    shapes = suite.load(name)
    assert len(shapes) == {"training": 41, "lenet": 3, "resnet50": 23, "mobilenet": 19, "per-sample": 18}[name]
    assert len({(*sizes(at), at.N, at.dilation) for at in shapes}) == len(shapes)


def test_lenet_is_that_of_1998() -> None:
    """Its convolutions have 26·6, 151·10 + 6 (fully connected here: 150·16 + 16) and 120·401 weights with biases."""
    weights = [torch.Size(at.w).numel() + at.O for at in suite.load("lenet")]
    assert weights == [26 * 6, 150 * 16 + 16, 401 * 120]
    assert [at.y[2] for at in suite.load("lenet")] == [28, 10, 1]


def test_resnet50_is_that_of_its_paper() -> None:
    """Its 53 convolutions, walked through block by block, are these shapes, and have the weights that are known."""
    walked, size, channels = [(3, 64, 1, (224, 224), (7, 7), (2, 2), (3, 3))], 56, 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            stride = 2 if block == 0 and width > 64 else 1
            narrow = size // stride
            walked.append((channels, width, 1, (size,) * 2, (1, 1), (1, 1), (0, 0)))
            walked.append((width, width, 1, (size,) * 2, (3, 3), (stride,) * 2, (1, 1)))
            walked.append((width, 4 * width, 1, (narrow,) * 2, (1, 1), (1, 1), (0, 0)))
            if block == 0:
                walked.append((channels, 4 * width, 1, (size,) * 2, (1, 1), (stride,) * 2, (0, 0)))
            channels, size = 4 * width, narrow
    assert len(walked) == 53
    assert sum(c * o * k[0] * k[1] for c, o, _, _, k, _, _ in walked) == 23_454_912
    assert {sizes(at) for at in suite.load("resnet50")} == set(walked)


def test_mobilenet_is_that_of_its_paper() -> None:
    """Table 1; its convolutions, of which five pairs are the same, have 3,185,088 weights."""
    shapes = {at.name: at for at in suite.load("mobilenet")}
    weights = {name: torch.Size(at.w).numel() for name, at in shapes.items()}
    again = 4 * (weights["dw512.14s1"] + weights["pw512to512.14"])
    assert sum(weights.values()) + again == 3_185_088
    assert all(at.groups == at.C for name, at in shapes.items() if name.startswith("dw"))


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_flop_are_those_that_pytorch_counts(dims: int, groups: int) -> None:
    at = shape(groups=groups, dims=dims)
    settings = {name: getattr(at, name) for name in ("stride", "padding", "dilation", "groups")}
    with FlopCounterMode(display=False) as counter:
        y = getattr(torch, f"conv{dims}d")(torch.ones(at.x), torch.ones(at.w), **settings)
    assert y.shape == at.y
    assert at.flop == counter.get_total_flops()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD.replace("a,2,2", "a,2,0"), ":3: N must be a number, at least 1.\n  N  '0'"),
        (GOOD.replace("a,2,2", "a,2,two"), ":3: N must be a number, at least 1.\n  N  'two'"),
        (GOOD.replace("a,2", "a,4"), ":3: dims must be 1, 2 or 3.\n  dims  4"),
        (GOOD.replace("8x7", "8"), ":3: input must be 2 numbers with x between them, at least 1.\n  input  '8'"),
        (
            GOOD.replace("1x0", "1x-1"),
            ":3: padding must be 2 numbers with x between them, at least 0.\n  padding  '1x-1'",
        ),
        (GOOD.replace("6,2,8", "5,2,8"), ":3: groups must divide C and O.\n  C       4\n  O       5\n  groups  2"),
        (GOOD.replace("3x2", "11x2"), ":3: the kernel is larger than the padded input.\n"),
        ("a" + GOOD[1:], ":3: the name 'a' stands twice."),
        (GOOD + ",source,more", ":3: as many fields are needed as there are columns."),
        ("b,2,2", ":3: as many fields are needed as there are columns."),
    ],
)
def test_a_bad_line_is_told_with_its_number(line: str, message: str, tmp_path: Path) -> None:
    bad = line if "stands twice" in message else line.replace("a,", "b,", 1)
    path = written(tmp_path / "bad.csv", HEADER, GOOD, bad)
    with pytest.raises(HandgradError) as raised:
        suite.read(path)
    assert str(raised.value).startswith(f"bench: {path}{message}")


@pytest.mark.parametrize(
    "header", [HEADER.replace(",groups", ""), HEADER + ",colour", HEADER + ",N"], ids=["missing", "unknown", "twice"]
)
def test_wrong_columns(header: str, tmp_path: Path) -> None:
    path = written(tmp_path / "bad.csv", header, GOOD)
    with pytest.raises(HandgradError) as raised:
        suite.read(path)
    assert str(raised.value).startswith(
        f"bench: {path}:1: wrong columns.\n  found   {header}\n  needed  {HEADER},source"
    )


def test_no_shapes(tmp_path: Path) -> None:
    path = written(tmp_path / "bad.csv", HEADER)
    with pytest.raises(HandgradError, match=r"bad\.csv has no shapes\."):
        suite.read(path)


def test_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(HandgradError, match=r"bad\.csv is no CSV file\."):
        suite.read(path)


def test_an_unknown_suite_is_told_with_those_there_are() -> None:
    with pytest.raises(HandgradError) as raised:
        suite.load("resnet")
    known = "training, lenet, resnet50, mobilenet, per-sample, FILE.csv"
    assert str(raised.value) == f"bench: unknown suite 'resnet'.\n  known  {known}"


def test_shapes_are_chosen_by_their_names() -> None:
    shapes = [shape(name) for name in ("a.1", "a.2", "b.1")]
    assert [at.name for at in suite.select(shapes, ["b.1", "a.*"])] == ["a.1", "a.2", "b.1"]
    assert [at.name for at in suite.select(shapes, ["*.2"])] == ["a.2"]
    with pytest.raises(HandgradError) as raised:
        suite.select(shapes, ["a.*", "c"])
    assert str(raised.value) == "bench: no shape fits 'c'.\n  known  a.1, a.2, b.1"
