"""A file is found, loaded and checked whatever it does to its surroundings, and whose mistake it is is told apart."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from handgrad._check import target
from handgrad._check.report import Report
from handgrad._check.request import Request
from handgrad._errors import HandgradError

RIGHT = """
def forward(x):
    return x ** 2
def backward(g, x):
    return 2 * g * x
"""


def _check(tmp_path: Path, code: str, *inputs: str) -> Report:
    path = tmp_path / "code.py"
    path.write_text(code)
    return target.check_target(Request(str(path), inputs or ("x=3x4",)))


def test_a_file_that_empties_the_search_path(tmp_path: Path) -> None:
    before = list(sys.path)
    assert _check(tmp_path, "import sys\nsys.path.clear()\n" + RIGHT).ok
    assert sorted(sys.path) == sorted(before)


def test_an_interrupt_that_the_code_raises_is_its_own(tmp_path: Path) -> None:
    report = _check(tmp_path, RIGHT.replace("return x ** 2", "raise KeyboardInterrupt"))
    assert report.verdict == "error"
    assert report.message is not None
    assert f"the code raised at {tmp_path / 'code.py'}:3\n" in report.message
    assert "KeyboardInterrupt" in report.message


def test_what_the_checker_gets_wrong_is_not_the_codes_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "check_subject", divmod)
    report = _check(tmp_path, RIGHT)
    assert report.verdict == "inconclusive"
    assert report.message is not None
    assert report.message.startswith("the checker itself failed, which says nothing of the code\nTraceback")


def test_code_that_raises_where_it_is_not_called_as_such(tmp_path: Path) -> None:
    layer = """
class Layer:
    def __init__(self):
        self.n = 0
    def __deepcopy__(self, memo):
        raise OSError("not to be copied")
    def forward(self, x):
        return x
    def backward(self, g):
        return g
"""
    report = _check(tmp_path, layer)
    assert report.verdict == "error"
    assert "OSError: not to be copied" in str(report)


def test_a_class_without_a_forward() -> None:
    with pytest.raises(HandgradError, match=r"check: `JSONDecoder` has no forward\."):
        target.check_target(Request("json:JSONDecoder", ("x=3",)))


def test_an_input_that_no_memory_holds(tmp_path: Path) -> None:
    with pytest.raises(HandgradError, match=r"check: `--input x=1000000x1000000` is too large\."):
        _check(tmp_path, RIGHT, "x=1000000x1000000")


def test_a_transposed_grad_of_a_parameter_is_explained(tmp_path: Path) -> None:
    module = """
import torch
class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2, 3))
    def forward(self, x):
        self.x = x
        return x @ self.weight.T
    def backward(self, g):
        self.weight.grad = self.x.T @ g
        return g @ self.weight
"""
    report = _check(tmp_path, module, "x=4x3")
    assert report.verdict == "wrong"  # PyTorch refuses it because it is
    note = "handgrad: `self.weight.grad` needs the shape of `self.weight` (2, 3); it gets `self.x.T @ g`: "
    assert note + "self.x.T (3, 4), g (4, 2), self.x (4, 3)" in str(report)
