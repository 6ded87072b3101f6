"""Functions that return a loss and its gradients together, as courses write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from handgrad import check
from handgrad._errors import HandgradError

HINGE = """
import numpy as np

def svm_loss(W, X, y, reg):
    scores = X.dot(W)
    right = scores[np.arange(len(y)), y][:, None]
    margins = np.maximum(0, scores - right + 1)
    margins[np.arange(len(y)), y] = 0
    loss = margins.sum() / len(y) + reg * np.sum(W * W)
    counts = (margins > 0).astype(float)
    counts[np.arange(len(y)), y] = -counts.sum(axis=1)
    dW = X.T.dot(counts){share} + 2 * reg * W
    return loss, dW
"""
LOGISTIC = """
import numpy as np

def propagate(w, b, X, Y):
    m = X.shape[1]
    A = 1 / (1 + np.exp(-(w.T @ X + b)))
    cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
    grads = {{"dw": X @ (A - Y).T / m, "db": np.sum({difference}) / m}}
    return grads, cost
"""


def said(path: Path, code: str, *inputs: str) -> dict[str, list[str]]:
    path.write_text(code)
    report = check(path, inputs=list(inputs))
    return {one.name: [finding.cause for finding in one.findings] for one in report.gradients}


@pytest.mark.parametrize(("share", "causes"), [(" / len(y)", []), ("", ["unexplained"])])
def test_a_loss_with_the_gradient_of_its_weights(share: str, causes: list[str], tmp_path: Path) -> None:
    found = said(tmp_path / "svm.py", HINGE.format(share=share), "W=4x3", "X=6x4", "y=6:int")
    assert found == {"W": causes}


@pytest.mark.parametrize(("difference", "causes"), [("A - Y", []), ("Y - A", ["wrong-sign"])])
def test_a_dictionary_of_gradients_before_the_cost(difference: str, causes: list[str], tmp_path: Path) -> None:
    inputs = ("w=4x1", "b=", "X=4x6", "Y=1x6:unit")
    found = said(tmp_path / "logistic.py", LOGISTIC.format(difference=difference), *inputs)
    assert found == {"w": [], "b": causes}


def test_a_file_that_does_something_is_a_script(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text("def f(w):\n    loss, dw = w * w, 2 * w\n    return loss, dw\n\nfor i in range(3):\n    f(1.0)\n")
    assert check(path).verdict == "inconclusive"


def test_without_a_number_there_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "loss.py"
    path.write_text("import numpy as np\n\ndef loss(x):\n    out, dx = x * x, 2 * x\n    return out, dx\n")
    with pytest.raises(HandgradError, match="`loss` returns no loss beside its gradients"):
        check(path, inputs=["x=3x4"])
