"""What all tests share: a seed before each, hypothesis drawing the same examples every time, and one thread.

The tensors are tiny: a second thread only waits, and where others use the machine it waits long.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings
from torch import Tensor

if TYPE_CHECKING:
    from handgrad._geometry import ConvGeometry

torch.set_num_threads(1)
settings.register_profile("handgrad", derandomize=True, deadline=None, database=None)
settings.load_profile("handgrad")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:Using padding='same' with even kernel lengths")  # PyTorch's own


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The five-second suite does not even import a file that has no part in it."""
    if config.option.markexpr == "smoke" and collection_path.suffix == ".py":
        return "mark.smoke" not in collection_path.read_text() or None
    return None


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=["reference", "native", "native:channels-last", "gemm", "depthwise"])
def algorithm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each algorithm in its turn computes whatever it can, and the reference what it cannot."""
    from handgrad._algorithms import modules, run

    def choose(_where: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, _setting: object) -> str:
        return "reference" if modules.refusal(request.param, op, a, b, geometry) else str(request.param)

    monkeypatch.setattr(run, "choose", choose)
    monkeypatch.setattr(run, "_chosen", {})
    return str(request.param)
