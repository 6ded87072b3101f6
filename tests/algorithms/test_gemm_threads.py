"""Called by several threads, beside PyTorch's pool, and in forked children: right, and no deadlock."""

from __future__ import annotations

import os

import at_work
import pytest

pytestmark = pytest.mark.slow
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def test_eight_threads_of_python() -> None:
    at_work.succeeds("several_threads()")


def test_beside_the_frameworks_own_threads() -> None:
    at_work.succeeds("beside_torch()")


@forks
@pytest.mark.parametrize("how", ["forked", "in_workers", "in_a_pool", "forked_from_a_busy_process"])
def test_in_forked_children(how: str) -> None:
    at_work.succeeds(f"{how}()")
