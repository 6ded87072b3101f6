"""Compiled kernels are kept: found by the next process, made anew when damaged or when a source has changed."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import at_work
import pytest

import handgrad

pytestmark = pytest.mark.slow  # compiling takes ten seconds and more, each time
RIGHT = [12.0, 12.0]  # two windows of 3 · 2 + 3 · 2


def one_call(cache: Path, **environment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(at_work.succeeds("one_call()", HANDGRAD_CACHE=str(cache), **environment))
    return found


def files(cache: Path) -> list[Path]:
    return sorted(file for file in cache.rglob("*") if file.is_file())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that two processes found empty at the same time."""
    cache = tmp_path_factory.mktemp("cache") / "not there yet"
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(one_call, [cache, cache]))
    assert both == [{"y": RIGHT, "told": [], "numba": True}] * 2
    return cache


def test_two_at_once_leave_one_file(filled: Path) -> None:
    assert [file.suffix for file in files(filled)] == [".o"]


def test_the_next_process_does_without_numba(filled: Path) -> None:
    assert one_call(filled) == {"y": RIGHT, "told": [], "numba": False}


def test_a_damaged_file_is_made_anew(filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert one_call(tmp_path) == {"y": RIGHT, "told": [], "numba": True}
    assert files(tmp_path) == [file]
    assert one_call(tmp_path) == {"y": RIGHT, "told": [], "numba": False}


@pytest.mark.parametrize("damage", ["empty", "garbage", "one byte", "another digest"])
def test_damage_is_seen(filled: Path, damage: str, tmp_path: Path) -> None:
    from handgrad._algorithms.gemm import library

    (file,) = files(filled)
    digest, _, code = file.read_bytes().partition(b"\n")
    assert library._read(file) == code
    content = {
        "empty": b"",
        "garbage": b"\xff" * 1000,
        "one byte": digest + b"\n" + code[:-1] + bytes([code[-1] ^ 1]),
        "another digest": b"0" * 64 + b"\n" + code,
    }[damage]
    (tmp_path / "file").write_bytes(content)
    assert library._read(tmp_path / "file") is None


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    found = one_call(tmp_path / "a file")
    assert found["y"] == RIGHT
    assert [text.partition(":")[0] for text in found["told"]] == [
        "compiled kernels cannot be kept, every process compiles its own"
    ]


def test_an_edited_tile_is_another_kernel(filled: Path, tmp_path: Path) -> None:
    """A copy of the package whose tile squares what it reads; the kernel in the cache is not taken for its own."""
    copy, cache = tmp_path / "src", tmp_path / "cache"
    shutil.copytree(Path(handgrad.__file__).parent, copy / "handgrad")
    shutil.copytree(filled, cache)
    tile = copy / "handgrad/_algorithms/gemm/tile.py"
    line = "builder.call(function, [a, b, c])"
    assert tile.read_text().count(line) == 1
    tile.write_text(tile.read_text().replace(line, "builder.call(function, [b, b, c])"))
    assert one_call(cache, PYTHONPATH=str(copy)) == {"y": [18.0, 18.0], "told": [], "numba": True}
    assert len(files(cache)) == 2
    assert one_call(cache)["y"] == RIGHT
