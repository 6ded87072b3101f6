"""The samplers of docs/per-sample-peers.md in Opacus: its own tests pass with them, and what it got wrong is right.

Skipped where Opacus is not installed: `pip install handgrad[peers]`.
"""

from __future__ import annotations

import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import handgrad as hg
from oracles import assert_equal

grad_sample = pytest.importorskip("opacus.grad_sample", reason="needs Opacus: pip install handgrad[peers]")

PAGE = (Path(__file__).parents[2] / "docs" / "per-sample-peers.md").read_text()
CONVOLUTIONS = [getattr(nn, f"Conv{name}{dims}d") for name in ("", "Transpose") for dims in (1, 2, 3)]
pytestmark = pytest.mark.filterwarnings("ignore")  # of Opacus and of hooks that are deprecated


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's code has run; afterwards Opacus has its own samplers back."""
    of_gradients, of_norms = grad_sample.GradSampleModule, grad_sample.GradSampleModuleFastGradientClipping
    for owner, registry in (
        (grad_sample.GradSampleHooks, "GRAD_SAMPLERS"),
        (grad_sample.GradSampleHooksFastGradientClipping, "GRAD_SAMPLERS"),
        (grad_sample.GradSampleHooksFastGradientClipping, "NORM_SAMPLERS"),
    ):
        monkeypatch.setattr(owner, registry, dict(getattr(owner, registry)))
    code = re.search(r'```python title="opacus_samplers.py"\n(.*?)```', PAGE, re.DOTALL)
    assert code
    exec(code[1], {})
    assert set(CONVOLUTIONS) <= {*of_gradients.GRAD_SAMPLERS} & {*of_norms.NORM_SAMPLERS}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of the functions ran."""
    made: list[str] = []
    samplers = grad_sample.GradSampleModule.GRAD_SAMPLERS
    for cls in CONVOLUTIONS:
        ours = samplers[cls]
        noted = lambda *args, cls=cls, ours=ours: (made.append(cls.__name__), ours(*args))[1]  # noqa: E731
        monkeypatch.setitem(samplers, cls, noted)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_its_own_tests_pass(dims: int, calls: list[str]) -> None:
    pytest.importorskip("hypothesis")
    suite = unittest.defaultTestLoader.loadTestsFromName(f"opacus.tests.grad_samples.conv{dims}d_test")
    outcome = unittest.TestResult()
    suite.run(outcome)
    assert outcome.testsRun
    assert not [*outcome.errors, *outcome.failures]
    assert f"Conv{dims}d" in calls


SETTINGS: list[dict[str, Any]] = [
    {"stride": 2, "padding": 1, "groups": 2},
    {"padding": "same", "dilation": 2, "groups": 2},
    {"padding": 1, "padding_mode": "reflect"},
    {"padding": 1, "padding_mode": "circular", "bias": False},
]


def modules() -> Iterator[Any]:
    for cls in CONVOLUTIONS:
        options = [{"stride": 2, "output_padding": 1, "groups": 2}] if "Transpose" in cls.__name__ else SETTINGS
        for settings in options:
            yield pytest.param(cls, settings, id=f"{cls.__name__} {' '.join(map(str, settings.values()))}")


@pytest.mark.parametrize(("cls", "settings"), [*modules()])
def test_gradients_and_norms_are_those_of_each_sample(cls: Any, settings: dict[str, Any]) -> None:
    dims = int(cls.__name__[-2])
    module = cls(4, 6, (2, 3, 2)[:dims], **settings).double()
    x = torch.randn(3, 4, *(6, 5, 4)[:dims], dtype=torch.float64)
    dy = torch.randn_like(module(x))
    parameters = [*module.parameters()]
    truth = [torch.autograd.grad(module(x[n : n + 1]), parameters, dy[n : n + 1]) for n in range(3)]
    sampled = grad_sample.GradSampleModule(module, loss_reduction="sum")
    (sampled(x) * dy).sum().backward()
    for parameter, gradients in zip(parameters, zip(*truth, strict=True), strict=True):
        assert_equal(parameter.grad_sample, torch.stack(gradients))
    sampled.to_standard_module()
    clipped = grad_sample.GradSampleModuleFastGradientClipping(module, loss_reduction="sum", max_grad_norm=1.0)
    (clipped(x) * dy).sum().backward()
    for parameter, gradients in zip(parameters, zip(*truth, strict=True), strict=True):
        assert_equal(parameter._norm_sample, torch.stack([gradient.norm() for gradient in gradients]))


def test_ghost_clipping_makes_no_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("conv2d_weight", "conv_transpose2d_weight"):
        monkeypatch.delattr(hg.per_sample, name)
    for module in (nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(2, 3, 3)):
        clipped = grad_sample.GradSampleModuleFastGradientClipping(module, loss_reduction="sum", max_grad_norm=1.0)
        clipped(torch.randn(4, 2, 6, 6)).sum().backward()
        assert clipped.get_norm_sample().shape == (4,)
