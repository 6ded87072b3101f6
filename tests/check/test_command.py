"""`handgrad check`: what it prints and how it exits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from handgrad._check.report import Report
from handgrad._check.request import Request
from handgrad._check.target import check_target
from handgrad._cli.check import check, request_of, show
from handgrad._errors import HandgradError

command = sys.modules["handgrad._cli.check"]

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


def test_the_help_has_words_for_every_option() -> None:
    assert [option.name for option in check.params if isinstance(option, click.Option) and not option.help] == []


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


def test_a_request_is_what_the_command_line_says() -> None:
    """As the corpus is run by."""
    words = ["x.py", "--input", "x=2", "--stride", "2", "--padding", "1,2", "--json", "--timeout", "3", "--verbose"]
    made = request_of(**check.make_context("check", words).params)
    assert made == Request("x.py", ("x=2",), None, {"stride": 2, "padding": (1, 2)}, verbose=True)


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


LAYER = """
import torch
def forward(x, slope=2.0):
    return x.relu()
def backward(g, x):
    return g * (x > 0)
"""
SCRIPT = "import torch\nx = torch.ones(2, 3)\ny = 2 * x\ng = torch.ones(2, 3)\ndx = 2 * g\n"
CLAIM = ["--output", "y", "--grad-output", "g", "--wrt", "x=dx"]


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        (LAYER, ["--like", "relu", "--padding", "1"], "`forward` takes no `padding`, and neither does relu"),
        (LAYER, ["--input", "x=2x3", "--stride", "2"], "`forward` takes no `stride`.\nhint: with --like conv2d"),
        (LAYER, ["--input", "x=2x3", "--input", "x=4x5"], "`--input x=…` is given 2 times"),
        (LAYER, ["--input", "x=2x3", "--input", "y=2x3"], "there is no input `y`.\n  known  x, slope"),
        (SCRIPT, ["--like", "relu"], "--like is for a file with a backward pass, and "),
        (SCRIPT, [*CLAIM, "--input", "x=2x3"], "--input is for a file with a backward pass, and "),
        (SCRIPT, [*CLAIM, "--kernel-size", "2"], "--kernel-size is for a file with a backward pass, and "),
        (SCRIPT, [*CLAIM, "--wrt", "x=g"], "`--wrt x=…` is given 2 times"),
        (SCRIPT, ["--output", "y"], "a flat script needs --output and --wrt VARIABLE=GRADIENT"),
        (
            SCRIPT,
            ["--output", "y", "--grad-output", "import g", "--wrt", "x=dx"],
            "`--grad-output import g` names no var",
        ),
        (SCRIPT, ["--output", "y", "--grad-output", "g", "--wrt", "x=1 +"], "`--wrt x, 1 +` names no variable"),
        (LAYER, ["--like", "conv2d", "--stride", "0"], "`stride` is 0.\n  needed  1 or more"),
        (LAYER, ["--like", "conv2d", "--padding", "1,-1"], "`padding` is (1, -1).\n  needed  0 or more"),
        (LAYER, ["--like", "conv2d", "--groups", "-1"], "`groups` is -1.\n  needed  1 or more"),
        (LAYER, ["--like", "layer_norm", "--eps", "nan"], "`eps` is nan.\n  needed  0 or more"),
        (SCRIPT, ["more words"], "Got unexpected extra argument (more words)"),
        (SCRIPT, ["--timeout", "-1"], "-1.0 is not in the range x>0"),
        (SCRIPT, ["--timeout", "0"], "0.0 is not in the range x>0"),
        (SCRIPT, ["--timeout", "nan"], "nan is not a finite number"),
        (SCRIPT, ["--stride", "two"], "'two' is not a number"),
        (SCRIPT, ["--nonsense"], "--nonsense"),
    ],
)
def test_what_would_be_ignored_is_refused_in_json_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: list[str], says: str
) -> None:
    monkeypatch.setattr(command, "check_apart", lambda request, _: check_target(request))
    path = tmp_path / "code.py"
    path.write_text(code)
    result = _invoke(str(path), *words, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 2
    assert told["verdict"] == "error"
    assert says in told["message"]
    assert says in _invoke(str(path), *words).output


def test_a_layers_only_input_goes_by_any_name(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(
        "class Relu:\n    def forward(self, z): self.z = z; return z.relu()\n"
        "    def backward(self, g): return g * (self.z > 0)\n"
    )
    assert check_target(Request(str(path), inputs=("x=2x3",))).verdict == "correct"
    with pytest.raises(HandgradError, match=r"there is no input `x`\.\n  known  z"):
        check_target(Request(str(path), inputs=("z=2x3", "x=2x3")))


def test_a_name_and_the_options_of_a_script_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(LAYER)
    with pytest.raises(HandgradError, match="--wrt are for a flat script, not for `forward` in it"):
        check_target(Request(f"{path}:forward", output="y"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_is_told_in_json_too(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "code.py"
    path.write_text("print('ready', flush=True)\nwhile True: pass\ndef backward(g): ...\n")
    started = subprocess.Popen(
        [sys.executable, "-m", "handgrad", "check", str(path), "--json", "--timeout", "100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert started.stderr is not None
    ready = started.stderr.readline()
    started.send_signal(number)
    told, _ = started.communicate()
    assert ready == b"ready\n"
    assert json.loads(told)["verdict"] == "inconclusive"
    assert json.loads(told)["message"] == f"interrupted by {number.name}"
    assert started.returncode == 4
    assert list(tmp_path.iterdir()) == [path]


def test_what_goes_wrong_here_is_not_the_codes_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Report:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "check_apart", full)
    result = _invoke("code.py", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["message"] == "nothing was checked: OSError: [Errno 28] No space left on device"
    assert "Traceback" in result.stderr


def test_a_terminal_without_the_characters_gets_the_rest() -> None:
    code = """
from handgrad._check.report import Report
from handgrad._cli.check import show
show(Report("wrong", None, message="█ in \\udce9.py"), as_json=False, verbose=False)
show(Report("wrong", None, message="█ in \\udce9.py"), as_json=True, verbose=False)
"""
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    text, told = done.stdout.splitlines()
    assert text == "wrong: ? in ?.py"
    assert json.loads(told)["message"] == "█ in \udce9.py"
