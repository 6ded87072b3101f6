"""A report as text, JSON and HTML."""

from __future__ import annotations

import json

import pytest

from handgrad._check.encoding import decode, encode
from handgrad._check.render import text
from handgrad._check.report import Finding, Gradient, Location, Report

FINDING = Finding(
    "transposed",
    "the last two axes are exchanged",
    Location("layer.py", 12, 8),
    "dw = x.T @ g",
    {"draws": 3, "expression": "g.T @ x", "operands": {"g": [5, 3], "x": [5, 4]}, "user_values": [[1.5]]},
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
  evidence  draws 3
  place     layer.py:12:8  g.T @ x
  operands  g (5, 3), x (5, 4)
  fix       dw = x.T @ g
  note      right for your sizes, wrong when the batch is larger than 1
  map       .█
            █.
            (. right, █ wrong)
note: numpy code, 3 draws
"""


def test_text_has_the_verdict_first_and_a_block_a_gradient() -> None:
    assert str(REPORT) == SHOWN


def test_whole_arrays_are_shown_only_on_demand() -> None:
    assert "[[1.5]]" not in str(REPORT)
    assert "user values [[1.5]]" in text(REPORT, verbose=True).plain


@pytest.mark.parametrize(
    ("report", "headline"),
    [
        (Report("correct", "relu", (RIGHT,)), "correct: the gradient of relu is right"),
        (Report("correct", None, (RIGHT, RIGHT)), "correct: all 2 gradients are right"),
        (Report("wrong", None, (WRONG,)), "wrong: the gradient is wrong"),
        (Report("wrong", None, (WRONG, WRONG)), "wrong: 2 of 2 gradients are wrong"),
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
