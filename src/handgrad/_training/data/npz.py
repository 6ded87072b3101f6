"""NumPy archives: Keras' `mnist.npz` and the like, and MedMNIST's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from handgrad._errors import HandgradError

from .checks import Array, Part

KEYS = (
    ("x_train", "y_train", "x_test", "y_test"),  # Keras
    ("train_images", "train_labels", "test_images", "test_labels"),  # MedMNIST
)


def read(path: Path) -> list[Part]:
    """Training images and labels, test images and labels, by the first of `KEYS` that the archive has whole.

    Raises HandgradError, one line that names the file, for anything else. Pickled arrays are never loaded.
    """
    keys, arrays = _arrays(path)
    return [Part(f"{path}: {key}", array) for key, array in zip(keys, arrays, strict=True)]


def _arrays(path: Path) -> tuple[tuple[str, ...], list[Array]]:
    """Four names and what they hold; nothing else in the archive is looked at."""
    try:
        content = io.BytesIO(path.read_bytes())
    except OSError as problem:
        raise HandgradError(f"{path}: cannot be read: {problem.strerror}") from problem
    try:
        with np.load(content, allow_pickle=False) as archive:
            if (keys := next((keys for keys in KEYS if set(keys) <= set(archive.files)), None)) is not None:
                return keys, [archive[key] for key in keys]
            held = archive.files
    except Exception as problem:  # a damaged archive fails anywhere between zip, zlib and the header's parser
        why = "it holds pickled objects or is no archive" if "pickle" in str(problem) else problem
        raise HandgradError(f"{path}: not a readable .npz archive: {why}") from problem
    accepted = " or ".join(", ".join(keys) for keys in KEYS)
    raise HandgradError(f"{path}: holds {', '.join(held) or 'no arrays'}; expected {accepted}")
