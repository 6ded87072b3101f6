"""A `.grad` of the wrong shape, which PyTorch refuses: it is a wrong gradient, and the exception is shown with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from handgrad import check
from handgrad._check.request import Request
from handgrad._check.target import check_target

SOURCE = """
import torch
from torch import nn

class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, g):
        self.weight.grad = g.T @ self.x
        self.bias.grad = g.sum(1)
        return g @ self.weight
"""


def test_the_cause_stands_with_the_exception(tmp_path: Path) -> None:
    path = tmp_path / "layer.py"
    path.write_text(SOURCE)
    report = check_target(Request(str(path), inputs=("x=5x4",)))
    assert report.verdict == "wrong"
    assert {one.name: [finding.cause for finding in one.findings] for one in report.gradients} == {
        "x": [],
        "weight": [],
        "bias": ["wrong-reduction-axes"],
    }
    assert report.message is not None
    assert "handgrad: `bias`: wrong-reduction-axes" in report.message
    assert "RuntimeError: " in str(report)


def test_a_live_object_raises_what_it_raised_with_the_cause_as_a_note() -> None:
    names: dict[str, type] = {}
    exec(SOURCE, names)
    with pytest.raises(RuntimeError) as raised:
        check(names["Linear"](), inputs=["x=5x4"])
    assert any("wrong-reduction-axes" in note for note in raised.value.__notes__)


def test_what_an_exception_was_raised_from_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "pair.py"
    path.write_text(
        "def forward(x):\n    return 2 * x\n\n"
        "def backward(g, x):\n    try:\n        {}['key']\n    except KeyError as problem:\n"
        "        raise ValueError('no cache') from problem\n"
    )
    message = check_target(Request(str(path), inputs=("x=3x2",))).message
    assert message is not None
    assert "KeyError: 'key'" in message
    assert "direct cause of the following exception" in message
    assert message.rstrip().splitlines()[-1].startswith("ValueError: no cache")
    assert "_check" not in message
