"""Small data sets in MNIST's format, written by the definition of the format and not by the code under test."""

import gzip
import struct
from pathlib import Path

import numpy as np

NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def idx(array: np.ndarray) -> bytes:
    """An array of bytes as an idx file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def arrays(train: int = 40, test: int = 20, size: int = 8, classes: int = 4) -> dict[str, np.ndarray]:
    """Images that can be told apart: in class k a bright stripe at row k, in noise."""
    random = np.random.default_rng(0)
    made = {}
    for part, count in (("train", train), ("test", test)):
        labels = np.arange(count, dtype=np.uint8) % classes
        images = random.integers(0, 60, (count, size, size), dtype=np.uint8)
        images[np.arange(count), labels] = 255
        made |= {f"{part}_images": images, f"{part}_labels": labels}
    return made


def write(folder: Path, made: dict[str, np.ndarray], compressed: bool = False) -> Path:
    """The four files in `folder`, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, array in made.items():
        path = folder / (NAMES[key] + (".gz" if compressed else ""))
        path.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))
    return folder
