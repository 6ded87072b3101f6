"""Small whole networks, of every convolution that `accelerate` takes over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from handgrad._accelerate import operators


class Residual(nn.Module):
    """Channels doubled at stride 2, beside a convolution of one: a block of a ResNet, with a depthwise one in it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, (3, 2), padding="same", groups=8)
        self.beside = nn.Conv2d(4, 8, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.depthwise(torch.tanh(self.norm(self.first(x)))) + self.beside(x))


class UNet(nn.Module):
    """Down and up again, with a way across."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 6, 4, stride=2, padding=1)
        self.deep = nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=2)
        self.up = nn.ConvTranspose2d(12, 5, 3, stride=2, padding=1)
        self.out = nn.Conv2d(5, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        down = torch.sigmoid(self.down(x))
        both = torch.cat([down, torch.tanh(self.deep(down))], 1)
        return self.out(torch.sigmoid(self.up(both, output_size=x.shape[-2:])))


def chain(*layers: nn.Module) -> nn.Sequential:
    """The layers, each behind a curve that has a second derivative."""
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.Tanh())))


Made = tuple[Callable[[], nn.Module], tuple[int, ...]]
NETWORKS: dict[str, Made] = {
    "lenet": (lambda: nn.Sequential(chain(nn.Conv2d(1, 3, 5, padding=2), nn.AvgPool2d(2), nn.Conv2d(3, 4, 3)),
                                    nn.Flatten(), nn.Linear(36, 3)), (2, 1, 10, 10)),
    "residual": (Residual, (2, 4, 7, 6)),
    "unet": (UNet, (2, 3, 8, 10)),
    "padding modes": (lambda: chain(nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode="circular"),
                                    nn.Conv2d(3, 2, (2, 4), padding="same", padding_mode="reflect"),
                                    nn.Conv2d(2, 2, 3, padding=1, padding_mode="replicate", stride=2)), (2, 2, 6, 5)),
    "one dimension": (lambda: chain(nn.Conv1d(3, 4, 4, padding="same"),
                                    nn.Conv1d(4, 4, 3, padding=2, dilation=2, groups=2, padding_mode="replicate"),
                                    nn.ConvTranspose1d(4, 2, 3, stride=3, output_padding=2)), (2, 3, 9)),
    "three dimensions": (lambda: chain(nn.Conv3d(2, 3, (2, 3, 1), padding=(1, 0, 2), stride=(1, 2, 1)),
                                       nn.ConvTranspose3d(3, 2, (2, 3, 2), stride=2, padding=1)), (1, 2, 3, 6, 3)),
    "unbatched": (lambda: chain(nn.Conv2d(2, 3, 3, padding="valid"), nn.ConvTranspose2d(3, 4, 2, bias=False)),
                  (2, 5, 6)),
}  # fmt: skip


def network(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    """One of them, and something to put in."""
    torch.manual_seed(3)
    make, size = NETWORKS[name]
    return make().to(dtype), torch.randn(size, dtype=dtype, requires_grad=True)


@contextmanager
def counted(monkeypatch: Any) -> Iterator[list[str]]:
    """Which of the three functions handgrad's operators compute, in order."""
    calls: list[str] = []
    run = operators.run

    def counting(where: str, op: str, *operands: Any) -> Tensor:
        calls.append(op)
        return run(where, op, *operands)

    with monkeypatch.context() as patch:
        patch.setattr(operators, "run", counting)
        yield calls
