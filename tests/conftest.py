"""What all tests share: a seed before each, and hypothesis drawing the same examples every time."""

import pytest
import torch
from hypothesis import settings

settings.register_profile("handgrad", derandomize=True, deadline=None, database=None)
settings.load_profile("handgrad")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:Using padding='same' with even kernel lengths")  # PyTorch's own


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
