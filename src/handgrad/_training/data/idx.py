"""MNIST's own file format, and where its four files may lie."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from handgrad._errors import HandgradError

from .checks import Part

# The third byte of the magic number names the type, the fourth the number of axes; sizes and values are big-endian
# (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats").
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
NAME = re.compile(r"(.*-)?(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-ubyte(\.gz)?")
FILES = [(split, kind) for split in ("train", "t10k") for kind in ("images", "labels")]


def find(folder: Path) -> dict[tuple[str, str], Path]:
    """The four files by (split, kind), in `folder`, its raw/ or one SET/raw/ (torchvision's); {} if there is none.

    Raises HandgradError where some of the four are missing, or where there is more than one data set.
    """
    places = [folder, folder / "raw", *sorted(folder.glob("*/raw"))]
    found = {place: files for place in places if (files := _files(place))}
    if len(found) > 1:
        raise HandgradError(f"{folder}: more than one data set: {', '.join(str(place) for place in found)}; name one")
    for place, files in found.items():
        for split, kind in FILES:
            if (split, kind) not in files:
                raise HandgradError(f"{place}: {split}-{kind}-idx{3 if kind == 'images' else 1}-ubyte(.gz) is missing")
        return files
    return {}


def _files(place: Path) -> dict[tuple[str, str], Path]:
    files: dict[tuple[str, str], Path] = {}
    for path in sorted(place.iterdir()) if place.is_dir() else []:
        if not (match := NAME.fullmatch(path.name)):
            continue
        key = ("train" if match["split"] == "train" else "t10k", match["kind"])
        if (other := files.setdefault(key, path)) != path and path.name != other.name + ".gz":
            raise HandgradError(f"{place}: more than one data set: both {other.name} and {path.name}")
    return files


def read(path: Path, axes: int) -> Part:
    """The array of an idx file, plain or gzipped (told by its content). Raises HandgradError, naming the file."""
    content = _content(path)
    if len(content) < 4:
        raise HandgradError(f"{path}: truncated: {len(content)} bytes are too few for an idx file")
    zero, code, rank = struct.unpack_from(">HBB", content)
    if zero or code not in TYPES or rank != axes:
        found, expected = int.from_bytes(content[:4]), 0x800 + axes
        swapped = "; images and labels swapped?" if not zero and code == 8 and rank in (1, 3) else ""
        raise HandgradError(f"{path}: wrong magic number 0x{found:08x}, expected 0x{expected:08x}{swapped}")
    start = 4 + 4 * rank  # the magic number, then one big-endian size for each axis
    if len(content) < start:
        raise HandgradError(f"{path}: truncated: {len(content)} bytes, but its header alone takes {start}")
    sizes = struct.unpack_from(f">{rank}I", content, 4)
    needed = start + math.prod(sizes) * np.dtype(TYPES[code]).itemsize
    if len(content) != needed:
        problem = "truncated" if len(content) < needed else "too long"
        raise HandgradError(f"{path}: {problem}: {len(content)} bytes, but sizes {sizes} need {needed}")
    return Part(str(path), np.frombuffer(content, TYPES[code], offset=start).reshape(sizes))


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise HandgradError(f"{path}: damaged gzip file: {problem}") from problem
    except OSError as problem:
        raise HandgradError(f"{path}: cannot be read: {problem.strerror}") from problem
