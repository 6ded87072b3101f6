"""`handgrad check`: what it prints and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from handgrad._check.report import Report
from handgrad._cli.check import check, show

RIGHT = """
import numpy as np
print("printed by the file")
def forward(x, w):
    return x @ w
def backward(g, x, w):
    return g @ w.T, x.T @ g
"""
INPUTS = ["--input", "x=4x3", "--input", "w=3x5"]


def _invoke(*words: str) -> Result:
    return CliRunner().invoke(check, list(words))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words", "status", "verdict"),
    [
        (RIGHT, INPUTS, 0, "correct"),
        (RIGHT.replace("x.T @ g", "2 * x.T @ g"), INPUTS, 1, "wrong"),
        (RIGHT, [], 2, "error"),
        (RIGHT.replace("g @ w.T", "g @ w"), INPUTS, 3, "error"),
        (
            RIGHT.replace("return x @ w", "return x @ w + np.frombuffer(__import__('os').urandom(1), 'u1')"),
            INPUTS,
            4,
            "inconclusive",
        ),
    ],
)
def test_json_is_one_object_for_every_exit_status(
    tmp_path: Path, code: str, words: list[str], status: int, verdict: str
) -> None:
    path = tmp_path / "code.py"
    path.write_text(code)
    result = _invoke(str(path), *words, "--json")
    assert result.exit_code == status, result.output
    told = json.loads(result.stdout)
    assert told["verdict"] == verdict
    assert {"verdict", "operation", "gradients", "trace"} <= set(told)
    assert "printed by the file" in result.stderr


@pytest.mark.slow
def test_a_finding_in_json(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(RIGHT.replace("x.T @ g", "g.T @ x"))
    told = json.loads(_invoke(f"{path}:forward", *INPUTS, "--json").stdout)
    right, wrong = told["gradients"]
    assert (right["name"], right["verdict"], right["findings"]) == ("x", "correct", [])
    assert (wrong["name"], wrong["verdict"]) == ("w", "wrong")
    assert (wrong["shape"], wrong["expected_shape"], wrong["relative_error"]) == ([5, 3], [3, 5], None)
    finding = wrong["findings"][0]
    assert finding["cause"] in ("transposed", "wrong-operand-order")
    assert finding["location"] == {"file": str(path), "line": 7, "column": 21}
    assert finding["evidence"]["operands"] == {"g": [4, 5], "x": [4, 3], "g.T": [5, 4]}
    assert wrong["fix"] == finding["fix"] == "grad_w = x.T @ g"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.py"], "check: there is no file nowhere.py."),
        (["nowhere"], "check: nowhere is neither a file nor module:Name."),
    ],
)
def test_usage_errors_say_what_is_wrong(words: list[str], says: str) -> None:
    result = _invoke(*words)
    assert result.exit_code == 2
    assert says in result.stdout + result.stderr


def test_sizes_are_numbers_with_commas_between() -> None:
    result = _invoke("x.py", "--stride", "two")
    assert result.exit_code == 2
    assert "'two' is not a number or numbers with commas between them" in result.stderr


def test_text_has_colours_only_where_there_is_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report("correct", None)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    show(report, as_json=False, verbose=False)
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.delenv("FORCE_COLOR")
    show(report, as_json=False, verbose=False)
    assert "\x1b[" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    show(report, as_json=False, verbose=False)
    assert "\x1b[3" not in capsys.readouterr().out


def test_the_commands_own_process_does_without_torch() -> None:
    """It takes a second to import, and the process of the checked code imports it already."""
    code = """
import sys
from handgrad._cli import main
from handgrad._check.render import text
try:
    main(["check", "x.py", "--nonsense"])
except SystemExit:
    print("torch" in sys.modules, "numpy" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"
