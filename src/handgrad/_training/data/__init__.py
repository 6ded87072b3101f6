"""Labelled images, from wherever they lie, checked and in one form."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from handgrad._errors import HandgradError

from . import checks, digits, idx, npz
from .checks import Part


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) in the dtype they are stored in, and labels (N,) as positions in `Dataset.classes`."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Split:
        """The same on another device."""
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """What to train on and what to test on. A pixel lies between `low` and `high`."""

    name: str
    train: Split
    test: Split
    classes: tuple[int, ...]
    low: float
    high: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def fingerprint(self) -> str:
        """SHA-256 over every pixel and label: a resumed run must find the data it began with."""
        digest = hashlib.sha256()
        for split in (self.train, self.test):
            digest.update(split.images.numpy().data)
            digest.update(split.labels.numpy().data)
        return digest.hexdigest()

    def to(self, device: torch.device) -> Dataset:
        """The same on another device."""
        return dataclasses.replace(self, train=self.train.to(device), test=self.test.to(device))


def load(source: Path | None, seed: int) -> Dataset:
    """The data at `source`: a folder of idx files, an .npz file, a folder that holds one; None is the embedded digits.

    `seed` draws the split of the embedded digits; others come with theirs. Raises HandgradError, one line that names
    the file, where there is no data or it is damaged: wrong magic number, truncated, labels out of range, numbers
    that disagree, NaN.
    """
    if source is None:
        parts = [Part("digits", array) for array in digits.load(seed)]
        return _dataset("the embedded digits", parts, bounds=(0.0, float(digits.HIGHEST)))
    if not source.exists():
        raise HandgradError(f"{source}: no such file or folder")
    if source.is_dir():
        return _dataset(str(source), _in_folder(source))
    if source.suffix != ".npz":
        raise HandgradError(f"{source}: neither a folder of idx files nor an .npz file")
    return _dataset(str(source), npz.read(source))


def _in_folder(folder: Path) -> list[Part]:
    archives = sorted(folder.glob("*.npz"))
    if files := idx.find(folder):
        return [idx.read(files[key], axes=3 if key[1] == "images" else 1) for key in idx.FILES]
    if len(archives) == 1:
        return npz.read(archives[0])
    if archives:
        raise HandgradError(f"{folder}: more than one .npz file: {', '.join(path.name for path in archives)}; name one")
    raise HandgradError(f"{folder}: no data here: expected train-images-idx3-ubyte(.gz) and its like, or an .npz file")


def _dataset(name: str, parts: Iterable[Part], bounds: tuple[float, float] | None = None) -> Dataset:
    train_images, train_labels, test_images, test_labels = parts
    train, test = checks.images(train_images), checks.images(test_images)
    if train.shape[1:] != test.shape[1:]:
        shapes = f"{tuple(test.shape[1:])}, but {train_images.place} has {tuple(train.shape[1:])}"
        raise HandgradError(f"{test_images.place}: images of (channels, height, width) {shapes}")
    train_found = checks.labels(train_labels, len(train), of=train_images)
    test_found = checks.labels(test_labels, len(test), of=test_images)
    known = checks.classes(train_labels, train_found)
    low, high = bounds or _bounds(train_images, train)
    return Dataset(
        name=name,
        train=Split(train, checks.indices(train_labels, train_found, known)),
        test=Split(test, checks.indices(test_labels, test_found, known)),
        classes=known,
        low=low,
        high=high,
    )


def _bounds(part: Part, images: torch.Tensor) -> tuple[float, float]:
    """The values of no ink and full ink: 0 and 255 or 0 and 1 where these are meant, else what occurs."""
    low, high = min(0.0, float(images.min())), float(images.max())
    if high <= low:
        raise HandgradError(f"{part.place}: every pixel is {low:g}; there is nothing to see")
    if images.dtype == torch.uint8 and high > 127:
        return 0.0, 255.0
    return low, max(high, 1.0)
