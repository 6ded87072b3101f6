"""A report as text, JSON and HTML."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from handgrad._check.encoding import decode, encode
from handgrad._check.report import Finding, Gradient, Location, Report

FINDING = Finding(
    "transposed",
    "the last two axes are exchanged",
    Location("layer.py", 12, 8),
    "dw = x.T @ g",
    {
        "draws": 3,
        "expression": "g.T @ x",
        "operands": {"g": [5, 3], "x": [5, 4]},
        "user_values": [[1.5, 2, 3], [2, 4, None]],
    },
)
WRONG = Gradient(
    "w",
    "wrong",
    (3, 4),
    (4, 3),
    None,
    (FINDING,),
    "dw = x.T @ g",
    "right for your sizes, wrong when the batch is larger than 1",
    ".█\n█.",
)
RIGHT = Gradient("x", "correct", (5, 4), (5, 4), 1e-16)
REPORT = Report("wrong", "linear", (RIGHT, WRONG), notes=("numpy code, 3 draws",))

SHOWN = """\
wrong: 1 of 2 gradients of linear is wrong

x  correct  shape (5, 4), relative error 1e-16

w  wrong  shape (3, 4), expected (4, 3)
  cause     transposed
            the last two axes are exchanged
  evidence  with this slip the right gradient becomes yours, to rounding, in all 3 draws that show it
  place     layer.py:12:8  g.T @ x
  operands  g (5, 3), x (5, 4)
  fix       dw = x.T @ g
  note      right for your sizes, wrong when the batch is larger than 1
  map       .█
            █.
            (the last two axes: . right, █ wrong)
note: numpy code, 3 draws
"""


def test_text_has_the_verdict_first_and_a_block_a_gradient() -> None:
    assert str(REPORT) == SHOWN


def test_whole_arrays_are_shown_only_on_demand() -> None:
    assert "1.5" not in str(REPORT)
    shown = REPORT.text(verbose=True).plain
    assert "  user values [[1.5 2.  3. ]\n             [2.  4.  nan]]\n" in shown


def test_slips_prove_themselves_together_and_a_place_is_told_once() -> None:
    evidence = {"draws": 3, "expression": "g @ x", "operands": {"g": [2, 5]}, "axes": {"g": ("N", "O")}}
    place = Location("layer.py", 3, 5)
    findings = tuple(Finding(cause, "so", place, evidence=evidence) for cause in ("transposed", "wrong-sign"))
    assert _block(Gradient("w", "wrong", (1,), (1,), 0.5, findings)) == [
        "  cause     transposed",
        "            so",
        "  place     layer.py:3:5  g @ x",
        "  operands  g (2, 5) = (N, O)",
        "  cause     wrong-sign",
        "            so",
        "  evidence  with these 2 slips together the right gradient becomes yours, to rounding, in all 3 draws that "
        "show it",
    ]


def _block(gradient: Gradient) -> list[str]:
    """The lines about a gradient, without the verdict and what stands before its causes."""
    return str(Report("wrong", None, (gradient,))).splitlines()[3:]


def test_a_fix_stands_with_the_last_slip_that_it_mends() -> None:
    first, second = Finding("transposed", "one", fix="dw = a"), Finding("wrong-sign", "two", fix="dw = a")
    gradient = Gradient("w", "wrong", (1,), (1,), 0.5, (first, second), "dw = a")
    assert [line[2:11].strip() for line in _block(gradient)] == ["cause", "", "cause", "", "fix"]
    other = replace(gradient, findings=(first, replace(second, fix="negate it")))
    assert [line[2:11].strip() for line in _block(other)] == ["cause", "", "fix", "cause", "", "fix"]
    whole = replace(gradient, fix="dw = a; dw = b")
    assert _block(whole)[-1] == "  fix       dw = a; dw = b"


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        ("██\n██", ["every entry is wrong"]),
        (".█", [".█", "(the last two axes: . right, █ wrong)"]),
        ("▒.", ["▒.", "(the last two axes: . right, ░▒▓ wrong in part of the other axes, █ wrong)"]),
    ],
)
def test_a_map_is_shown_where_it_tells_something(picture: str, shown: list[str]) -> None:
    gradient = Gradient("w", "wrong", (1, 2), (1, 2), 0.5, (Finding("unexplained", "somewhere"),), map=picture)
    assert [line[12:] for line in _block(gradient)[2:]] == shown


def test_numbers_that_the_message_has_are_not_repeated() -> None:
    evidence = {"worst_index": [0], "user": 0.5, "truth": 1.0, "correlates_with": [], "draws": 1}
    gradient = Gradient("w", "wrong", (1,), (1,), 0.5, (Finding("unexplained", "all wrong", evidence=evidence),))
    assert _block(gradient)[2:] == [
        "  evidence  with this slip the right gradient becomes yours, to rounding, in the one draw that shows it"
    ]


def test_long_sentences_are_broken_and_lines_to_paste_are_not() -> None:
    sentence, line = "a word and another, " * 12, "dw = " + " + ".join(["gradient"] * 20)
    gradient = Gradient("w", "wrong", (1,), (1,), 0.5, (Finding("unexplained", sentence, fix=line),))
    *words, fix = _block(gradient)[1:]
    assert len(words) == 3
    assert max(map(len, words)) <= 112
    assert fix == f"  fix       {line}"


def test_a_place_is_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file, shown in ((tmp_path / "a.py", "a.py"), (tmp_path.parent / "a.py", str(tmp_path.parent / "a.py"))):
        finding = Finding("transposed", "so", Location(str(file), 3, 5))
        gradient = Gradient("w", "wrong", (1,), (1,), 0.5, (finding,))
        assert _block(gradient)[-1] == f"  place     {shown}:3:5"


MODIFIES = Gradient("x", "wrong", (1,), (1,), 0.0, (Finding("inputs-modified", "forward changes `x`"),))


def test_right_values_are_not_called_wrong() -> None:
    shown = str(Report("wrong", "relu", (MODIFIES,))).splitlines()
    assert shown[0] == "wrong: the gradient of relu is right, but backward or forward changes its inputs in place"
    assert shown[2] == "x  wrong  shape (1,), the values are right"


@pytest.mark.parametrize(
    ("report", "headline"),
    [
        (Report("correct", "relu", (RIGHT,)), "correct: the gradient of relu is right"),
        (Report("correct", None, (RIGHT, RIGHT)), "correct: all 2 gradients are right"),
        (Report("wrong", None, (WRONG,)), "wrong: the gradient is wrong"),
        (Report("wrong", None, (WRONG, WRONG)), "wrong: 2 of 2 gradients are wrong"),
        (Report("wrong", None, (WRONG, MODIFIES)), "wrong: 2 of 2 gradients are wrong"),
        (
            Report("wrong", None, (RIGHT, MODIFIES)),
            "wrong: all 2 gradients are right, but backward or forward changes its inputs in place",
        ),
        (Report("inconclusive", None, message="not done"), "inconclusive: not done"),
    ],
)
def test_the_first_line(report: Report, headline: str) -> None:
    assert str(report).splitlines()[0] == headline


def test_a_trace_shows_lines_shapes_and_what_looks_wrong() -> None:
    entry = {
        "line": 3,
        "column": 1,
        "text": "y = x.T",
        "name": "y",
        "shape": [4, 5],
        "dtype": "float32",
        "note": "reversed",
    }
    lines = str(Report("inconclusive", None, trace=(entry,), message="a trace")).splitlines()
    assert lines[1:] == ["   3  (4, 5)             y = x.T", "                         ^ reversed"]


def test_json_goes_there_and_back() -> None:
    plain = json.loads(json.dumps(encode(REPORT), allow_nan=False))
    assert list(plain) == ["verdict", "operation", "gradients", "trace", "message", "notes"]
    assert plain["gradients"][1]["findings"][0]["location"] == {"file": "layer.py", "line": 12, "column": 8}
    assert decode(plain) == REPORT


@pytest.mark.parametrize(("error", "shown"), [(float("inf"), "inf"), (float("nan"), None)])
def test_what_json_has_no_number_for(error: float, shown: object) -> None:
    gradient = Gradient("w", "wrong", (1,), (1,), error, (Finding("unexplained", "", evidence={"user": float("nan")}),))
    plain = json.loads(json.dumps(encode(Report("wrong", None, (gradient,))), allow_nan=False))
    assert plain["gradients"][0]["relative_error"] == shown
    assert plain["gradients"][0]["findings"][0]["evidence"] == {"user": None}


def test_html_is_escaped_and_coloured() -> None:
    finding = Finding("unexplained", "where x < y & z")
    html = Report("wrong", None, (Gradient("w", "wrong", (1,), (1,), 0.5, (finding,)),))._repr_html_()
    assert html.startswith("<pre>")
    assert html.endswith("</pre>")
    assert "where x &lt; y &amp; z" in html
    assert '<span style="' in html
