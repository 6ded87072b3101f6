"""What an array must satisfy to be images or labels. Each error is one line that names the file (and the array)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad._errors import HandgradError

Array = np.ndarray[Any, np.dtype[Any]]


class Part(NamedTuple):
    """An array as it was read, with the place it came from as an error should name it."""

    place: str
    values: Array


def images(part: Part) -> torch.Tensor:
    """(N, C, H, W) in the dtype it was stored in, from (N, H, W), (N, H, W, C) or (N, C, H, W).

    Raises HandgradError where there is no image, a pixel is no number or not finite, or the axes fit none of these.
    """
    values = part.values
    if values.dtype.kind not in "biuf":
        raise HandgradError(f"{part.place}: images must be numbers, not {values.dtype}")
    if values.ndim == 3:
        values = values[:, None]  # (N, H, W) -> (N, 1, H, W)
    elif values.ndim == 4 and values.shape[3] <= 4:
        values = np.moveaxis(values, 3, 1)  # (N, H, W, C) -> (N, C, H, W)
    elif values.ndim != 4 or values.shape[1] > 4:
        shape = part.values.shape
        raise HandgradError(f"{part.place}: images of shape {shape}, expected (N, H, W) or (N, H, W, C) with C <= 4")
    if 0 in values.shape:
        raise HandgradError(f"{part.place}: no images in it, its shape is {part.values.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        first, count = np.argwhere(~np.isfinite(values))[0], int((~np.isfinite(values)).sum())
        raise HandgradError(f"{part.place}: NaN or infinite pixels, {count} of them, the first in image {first[0]}")
    return torch.from_numpy(np.array(_native(values), order="C"))  # a copy: what was read may be read-only


def labels(part: Part, count: int, of: Part) -> torch.Tensor:
    """(N,) whole numbers, one for each of the `count` images that were read from `of`."""
    values = part.values
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]  # (N, 1) -> (N,), as CIFAR and MedMNIST store them
    if values.ndim != 1 or values.dtype.kind not in "iu":
        found = f"{values.dtype} of shape {part.values.shape}"
        raise HandgradError(f"{part.place}: labels must be whole numbers of shape (N,), not {found}")
    if len(values) != count:
        raise HandgradError(f"{part.place}: {len(values)} labels, but {of.place} has {count} images")
    return torch.from_numpy(_native(values).astype(np.int64))


def classes(part: Part, found: torch.Tensor) -> tuple[int, ...]:
    """The labels that stand for a class, in order: 0..K-1, or 1..K as EMNIST's letters have it.

    Raises HandgradError where a number is left out: a damaged byte would otherwise pass as a class of its own.
    """
    known = np.unique(found.numpy()).tolist()
    first = known[0] if known[0] == 1 else 0
    for expected, label in enumerate(known, first):
        if label != expected:
            index = int((found == label).nonzero()[0])
            raise HandgradError(
                f"{part.place}: label {label} of image {index} is out of range: "
                f"the labels must be {first}, {first + 1}, ... without a gap, and {expected} never occurs"
            )
    if len(known) == 1:
        raise HandgradError(f"{part.place}: every label is {known[0]}; there is nothing to tell apart")
    return tuple(known)


def indices(part: Part, found: torch.Tensor, known: tuple[int, ...]) -> torch.Tensor:
    """Labels as positions in `known`. Raises HandgradError for a label that is not in it."""
    wrong = (found < known[0]) | (found > known[-1])
    if wrong.any():
        index = int(wrong.nonzero()[0])
        problem = f"label {int(found[index])} of image {index} is out of range"
        raise HandgradError(f"{part.place}: {problem}: the classes are {known[0]} to {known[-1]}")
    return found - known[0]


def _native(values: Array) -> Array:
    """In this machine's byte order (idx is big-endian) and in a dtype that every torch operation takes."""
    wide = {"b": "u1", "u2": "i4", "u4": "i8", "u8": "i8", "f2": "f4"}
    name = "b" if values.dtype.kind == "b" else values.dtype.str[1:]
    return values.astype(wide.get(name, name), copy=False)
