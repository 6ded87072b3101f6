"""What all tests share: a seed before each, hypothesis drawing the same examples every time, and one thread.

The tensors are tiny: a second thread only waits, and where others use the machine it waits long.
"""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

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
