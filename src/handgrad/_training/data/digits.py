"""The embedded data: 1,797 real 8x8 digits (UCI, CC BY 4.0; attribution and licence in digits.LICENSE.txt)."""

from __future__ import annotations

from importlib import resources

import numpy as np
import torch

from .checks import Array

HIGHEST = 16  # a pixel counts the inked ones among 4 x 4 of the scanned bitmap
HELD_OUT = 5  # every fifth image of a class is for the test


def load(seed: int) -> tuple[Array, Array, Array, Array]:
    """Images and labels to train on, then images and labels of the held-out fifth; `seed` draws the split."""
    with resources.as_file(resources.files(__package__) / "digits.npz") as path, np.load(path) as archive:
        images, labels = archive["images"], archive["labels"]
    train, test = _split(labels, seed)
    return images[train], labels[train], images[test], labels[test]


def _split(labels: Array, seed: int) -> tuple[Array, Array]:
    """Stratified: a fifth of every class, drawn at random, so that both parts have the classes in one proportion."""
    generator = torch.Generator().manual_seed(seed)
    train, test = [], []
    for label in np.unique(labels):
        (members,) = np.nonzero(labels == label)
        members = members[torch.randperm(len(members), generator=generator).numpy()]
        cut = round(len(members) / HELD_OUT)
        test.append(members[:cut])
        train.append(members[cut:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))
