"""`explain_choice` says what then runs, why, what it costs, and why not another; and computes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import handgrad as hg
from handgrad._algorithms import measured, modules, native, reference, run, winners
from handgrad._algorithms.setting import current

X, W, DY = torch.randn(2, 3, 6, 5), torch.randn(4, 3, 3, 2), torch.randn(2, 4, 4, 4)
CALLS: dict[str, tuple[Any, ...]] = {
    "conv2d": (X, W),
    "conv2d_input": (X.shape, W, DY),
    "conv2d_weight": (X, W.shape, DY),
    "conv2d_backward": (DY, X, W),
    "conv_transpose2d": (DY, W),
    "conv_transpose2d_input": (DY.shape, W, X),
    "conv_transpose2d_weight": (DY, W.shape, X),
    "conv_transpose2d_backward": (X, DY, W),
}


def ran(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> list[tuple[str, str]]:
    """(which of the three, by which module) of everything that is computed."""
    seen: list[tuple[str, str]] = []
    with monkeypatch.context() as patch:
        patch.setattr(run, "_chosen", {})
        for module in (reference, native):
            for op in ("conv", "conv_weight", "conv_input"):
                name, function = module.__name__.rpartition(".")[2], getattr(module, op)
                patch.setattr(module, op, lambda *args, o=op, n=name, f=function: seen.append((o, n)) or f(*args))
        both = native.conv_backward
        gradients = [("conv_input", "native"), ("conv_weight", "native")]
        patch.setattr(native, "conv_backward", lambda *args: seen.extend(gradients) or both(*args))
        call()
    return seen


@pytest.mark.parametrize("algorithm", ["reference", "native"])
@pytest.mark.parametrize("function", CALLS)
def test_what_is_said_is_what_runs(function: str, algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choices: list[Any] = []
    explaining = ran(
        monkeypatch, lambda: choices.append(hg.explain_choice(function, *CALLS[function], algorithm=algorithm))
    )
    assert explaining == []
    said = [(decision.operands.split()[0], decision.algorithm) for decision in choices[0].decisions]
    assert said == ran(monkeypatch, lambda: getattr(hg, function)(*CALLS[function], algorithm=algorithm))
    assert len(said) == 1 + function.endswith("_backward")
    assert choices[0].function == function


def test_the_context_counts_and_stays_as_it_was() -> None:
    with hg.set_algorithm("auto", exclude=["native", "gemm", "depthwise"]):
        before = current()
        (decision,) = hg.explain_choice("conv2d", X, W).decisions
        assert current() is before
    assert decision.algorithm == "reference"
    assert [candidate.name for candidate in decision.candidates] == ["reference"]
    assert decision.why == "it should cost least of those that can"
    (decision,) = hg.explain_choice("conv2d", X, W, algorithm="native").decisions
    assert decision.why == "it was asked for by name"
    with pytest.raises(hg.HandgradError, match="disagree about channels"):
        hg.explain_choice("conv2d", X, W[:, :1])
    assert current().notes is None


def test_it_prints_as_a_table() -> None:
    with hg.set_algorithm("auto", exclude=["gemm", "depthwise"]):
        text = str(hg.explain_choice("conv2d", X.cdouble(), W.cdouble(), padding=(1, 0), stride=2))
    rows = (
        r"conv2d\n"
        r"reference: conv N2 C3 O4 groups 1 input 6x5 output 3x2 kernel 3x2 stride 2x2 dilation 1x1 padding 1\+1x0\+0, "
        r"complex128, contiguous, contiguous, threads 1\n"
        r"  why        it should cost least of those that can\n"
        r"  reference  [\d.]+ ms, extra memory about 8 MiB of columns, and as much of what becomes of them\n"
        r"  native     cannot: complex numbers: PyTorch has no operator for their gradients"
    )
    assert re.fullmatch(rows, text)
    native_row = str(hg.explain_choice("conv2d", X, W, algorithm="native"))
    assert "ms, extra memory as PyTorch likes: the unfolded sample is 0.0011 MiB" in native_row


def test_elsewhere_than_on_a_cpu_times_are_not_known() -> None:
    (decision,) = hg.explain_choice("conv2d", X.to("meta"), W.to("meta")).decisions
    assert decision.algorithm == "native"
    times = {candidate.name: candidate.milliseconds for candidate in decision.candidates}
    assert times["native"] is None
    assert "native     not known, extra memory" in str(decision)
    assert {c.name for c in decision.candidates if "plain tensors" in c.refusal} == {"gemm", "depthwise"}


def test_a_race_is_reported_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(winners, "_read", {})
    monkeypatch.setattr(run, "_chosen", {})
    times = {"reference": 0.5, "native": 0.25, "native:channels-last": 0.125}
    monkeypatch.setattr(measured, "race", lambda *_: times)
    with hg.set_algorithm("measured", exclude=["gemm", "depthwise"]):
        (decision,) = hg.explain_choice("conv2d", X, W).decisions
        assert decision.algorithm == "a race"
        assert decision.why == f"there is none yet in {tmp_path / 'measured.json'}"
        assert list(tmp_path.iterdir()) == []
        hg.conv2d(X, W)
        (decision,) = hg.explain_choice("conv2d", X, W).decisions
        assert decision.algorithm == "native:channels-last"
        assert decision.why == f"it won the race in {tmp_path / 'measured.json'}"
        found = [(candidate.name, candidate.milliseconds) for candidate in decision.candidates]
        assert found == [("native:channels-last", 125.0), ("native", 250.0), ("reference", 500.0)]


def test_a_call_that_computes_nothing_has_no_decision() -> None:
    choice = hg.explain_choice("conv2d", torch.ones(1, 0, 3, 3), torch.ones(2, 0, 1, 1))
    assert (choice.decisions, str(choice)) == ((), "conv2d")


@pytest.mark.parametrize("name", ["conv2d_bias", "unfold2d", "conv4d", None, torch.conv2d])
def test_other_names(name: Any) -> None:
    with pytest.raises(hg.HandgradError, match=r"^explain_choice: no function is named .*\n  known  conv1d, conv1d_ba"):
        hg.explain_choice(name, X, W)


def test_kernels_say_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def says(name: str, *_: Tensor) -> str:
        return "not today" if name == "gemm" else ""

    monkeypatch.setattr("handgrad._choice.refusal", says)
    assert modules.refusal is not says
    assert "  gemm       cannot: not today" in str(hg.explain_choice("conv2d", X, W, algorithm="reference"))
