"""What all tests share: a seed before each, and hypothesis drawing the same examples every time."""

import pytest
import torch
from hypothesis import settings

settings.register_profile("handgrad", derandomize=True, deadline=None, database=None)
settings.load_profile("handgrad")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
