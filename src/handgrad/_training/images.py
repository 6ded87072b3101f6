"""From stored pixels to what a network sees, and how a batch is shifted about."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .data import Dataset

INK = 0.25  # what differs from the background by this much of the whole range is drawn


@dataclass(frozen=True)
class Scaling:
    """What the training images said about pixels; a run keeps it, since every later image must be treated alike.

    `low` and `high` are the stored values of no ink and full ink, `mean` and `std` belong to pixels scaled to 0..1, one
    for each channel. `dark` tells whether the background, by the border's median, is in the lower half; `fill` how much
    of the frame's height or width, whichever is more, is drawn on, in the middle one of the images.
    """

    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dark: bool
    fill: float

    @staticmethod
    def of(data: Dataset, private: bool = False) -> Scaling:
        """Measured on the training images; where these are private, not the mean and std, which enter the weights."""
        images, extent = data.train.images, data.high - data.low
        mean, std = ([0.5] * images.shape[1],) * 2 if private else _moments(images, data.low, extent)
        sample = (images[:10_000].double().mean(1) - data.low) / extent  # (N, H, W) in 0..1
        background = border_of(sample).median()
        boxes = ink(sample, background)
        drawn = torch.maximum(boxes[:, 0] / sample.shape[1], boxes[:, 1] / sample.shape[2])
        return Scaling(data.low, data.high, tuple(mean), tuple(std), bool(background < 0.5), float(drawn.median()))

    def apply(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        """(N, C, H, W) as stored to the same shape, mean 0 and deviation 1 on the training images."""
        unit = (images.to(torch.promote_types(dtype, torch.float32)) - self.low) / (self.high - self.low)
        mean, std = (unit.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return ((unit - mean) / std).to(dtype)


def _moments(images: Tensor, low: float, extent: float) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel of (N, C, H, W), of pixels scaled to 0..1."""
    mean, std = [], []
    for channel in range(images.shape[1]):
        pixels = images[:, channel].double()
        mean.append((float(pixels.mean()) - low) / extent)
        std.append(float(pixels.std(correction=0)) / extent or 1.0)  # a channel that is constant stays 0
    return mean, std


def border_of(images: Tensor) -> Tensor:
    """The outermost pixels of (…, H, W), in one row."""
    sides = (images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1])
    return torch.cat([side.flatten() for side in sides])


def ink(images: Tensor, background: Tensor) -> Tensor:
    """Height, width, top and left, (N, 4), of what stands out from the background of images (N, H, W) in 0..1."""
    drawn = (images - background).abs() > INK
    sides = [_extent(drawn.any(2)), _extent(drawn.any(1))]  # (N, H) and (N, W)
    return torch.stack([size for size, _ in sides] + [first for _, first in sides], 1)


def _extent(marked: Tensor) -> tuple[Tensor, Tensor]:
    """From the first to the last mark of each row (N, L): how long, and where it begins; without any, all of L."""
    marked = marked | ~marked.any(1, keepdim=True)
    first, behind = marked.int().argmax(1), marked.flip(1).int().argmax(1)
    return marked.shape[1] - behind - first, first


def shift(images: Tensor, most: int) -> Tensor:
    """Each image moved by up to `most` pixels along each axis, drawn from the global generator; edges are repeated."""
    n, _, height, width = images.shape
    padded = F.pad(images, (most,) * 4, mode="replicate")
    device = images.device
    rows = torch.randint(2 * most + 1, (n, 1), device=device) + torch.arange(height, device=device)  # (N, H)
    columns = torch.randint(2 * most + 1, (n, 1), device=device) + torch.arange(width, device=device)  # (N, W)
    sample = torch.arange(n, device=device)[:, None, None]
    return padded[sample, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)  # (N, H, W, C) -> (N, C, H, W)
