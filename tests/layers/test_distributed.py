"""`DistributedDataParallel` around explicit layers: it wraps and broadcasts; averaging is the caller's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from handgrad import layers


@pytest.fixture
def _process_group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("_process_group")
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_wrapping_changes_nothing(mode) -> None:
    network = layers.Sequential(layers.Conv2d(2, 3, 3), layers.BatchNorm2d(3), layers.Flatten(), layers.Linear(27, 2))
    alone, x = layers.from_torch(network), torch.randn(4, 2, 5, 5)
    wrapped = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(wrapped.parameters(), 0.1)
    for _ in range(2):  # a second pass: the first left nothing behind that DDP would wait for
        y, backward = alone(x)
        expected = backward(torch.ones_like(y))
        with mode():
            output, backward = wrapped(x)
            grad = backward(torch.ones_like(output))
        torch.testing.assert_close(output, y)
        torch.testing.assert_close(grad, expected)
    for ours, theirs in zip(wrapped.parameters(), alone.parameters(), strict=True):
        dist.all_reduce(ours.grad)
        torch.testing.assert_close(ours.grad, theirs.grad)
    optimizer.step()
