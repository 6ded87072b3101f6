"""benchmarks/training_step.py: everybody makes the same step, and who cannot is named."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

FILE = Path(__file__).parents[2] / "benchmarks" / "training_step.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("training_step", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: function)


@pytest.mark.parametrize(
    ("network", "weights"),
    [
        ("cnn", 10 * 32 + 289 * 64 + 3137 * 10),
        # the 0.27 million of its paper's table 6, and projections: 16·32 + 32·64 and their normalizations
        ("resnet20", 269_722 + 16 * 32 + 32 * 64 + 2 * 32 + 2 * 64),
    ],
)
def test_the_networks_have_the_weights_that_are_known(network: str, weights: int, bench: ModuleType) -> None:
    make, size = bench.NETWORKS[network]
    assert sum(weight.numel() for weight in make().parameters()) == weights
    assert make()(torch.randn(2, *size))[0].shape == (2, 10)


@pytest.mark.parametrize("network", ["cnn", "resnet20"])
@pytest.mark.parametrize("name", ["handgrad", "eager", "channels-last", "compile"])
def test_everybody_makes_autograds_step(name: str, network: str, bench: ModuleType) -> None:
    step, error = bench.check(name, network, batch=4)
    assert error < bench.ROUNDING
    step()


def test_two_steps_are_those_of_autograd(bench: ModuleType) -> None:
    """Momentum comes in with the second; in float64 nothing hides in rounding."""
    ends = []
    for name in ("handgrad", "eager"):
        torch.manual_seed(1)
        net = bench.resnet20().double()
        module, step = bench.CONTESTANTS[name](net, torch.randn(3, 3, 32, 32).double(), torch.tensor([1, 7, 2]))
        step()
        step()
        ends.append(bench._weights(module))
    torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-12)


def test_explicit_training_holds_no_gradient_afterwards(bench: ModuleType) -> None:
    module, step = bench.enter("handgrad", "cnn", 2)
    step()
    assert all(weight.grad is None for weight in module.parameters())


def test_a_wrong_step_does_not_pass(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(net: Any, images: torch.Tensor, labels: torch.Tensor) -> tuple[nn.Module, Callable[[], object]]:
        return bench.eager(net, images, (labels + 1) % 10)

    monkeypatch.setitem(bench.CONTESTANTS, "eager", wrong)
    with pytest.raises(ValueError, match="the weights' change is off by "):
        bench.check("eager", "cnn", 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["handgrad", "eager"])
def test_memory_of_a_step_is_at_least_its_activations(name: str, bench: ModuleType) -> None:
    """Of the first convolution's output at least the gradient is there as a whole."""
    assert bench.peak_memory(name, "cnn", batch=64, threads=1) > 64 * 32 * 28 * 28 * 4


def test_a_table_and_who_was_left_out(bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(_: object) -> None:
        raise RuntimeError("no C++ compiler\nwas found")

    monkeypatch.setattr(torch, "compile", no_compiler)
    monkeypatch.setattr(bench, "peak_memory", lambda name, *_: {"handgrad": 1 << 20, "eager": 1 << 21}[name])
    words = ["--network", "cnn", "--against", "eager,compile", "--batch", "2", "--seconds", "0"]
    done = CliRunner().invoke(bench.main, [*words, "--json", str(tmp_path / "steps.json")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "left out: compile: RuntimeError: no C++ compiler\n" in done.output
    rows = [line.split("│")[1:-1] for line in done.output.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in (row[0], *row[4:])] for row in rows] == [
        ["handgrad", "1.0", "1.00"],
        ["eager", "2.0", "0.50"],
    ]
    read = json.loads((tmp_path / "steps.json").read_text())["networks"]["cnn"]
    assert read["eager"]["bytes"] == 1 << 21
    assert read["handgrad"]["steps"] >= 5
    assert set(read["compile"]) == {"reason"}


def test_unknown_names(bench: ModuleType) -> None:
    done = CliRunner().invoke(bench.main, ["--network", "vgg"])
    assert done.exit_code == 2
    assert "'vgg' is none of cnn, resnet20" in done.output
