"""Small files: whole or not there, and TOML that reads back what was written."""

import math
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad import HandgradError
from handgrad._training import files, toml

VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.integers(0, 9), max_size=3),
)
TABLES = st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES)


@given(TABLES)
def test_a_flat_table_reads_back(table):
    back = tomllib.loads(toml.flat(table))
    assert back == table
    assert [type(value) for value in back.values()] == [type(value) for value in table.values()]


@given(st.lists(TABLES, min_size=1, max_size=4))
def test_an_array_of_tables_reads_back(tables):
    assert tomllib.loads(toml.array("layers", tables)) == {"layers": tables}


def test_what_is_none_is_left_out():
    assert toml.flat({"a": None, "b": 1}) == "b = 1\n"


def test_toml_that_cannot_be_read(tmp_path):
    (tmp_path / "bad.toml").write_text("a = ")
    (tmp_path / "bytes.toml").write_bytes(b"a = '\xff'")
    for name, text in {
        "bad.toml": "not TOML: ",
        "bytes.toml": "not TOML: ",
        "gone.toml": "cannot be read: No such file",
    }.items():
        with pytest.raises(HandgradError, match=f"{name}: {text}"):
            toml.read(tmp_path / name)


def test_a_file_is_replaced_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    files.write(path, "old")
    seen = []
    replace = Path.replace

    def spy(source, target):
        seen.append((path.read_text(), source.read_text()))
        replace(source, target)

    monkeypatch.setattr(Path, "replace", spy)
    files.write(path, b"new")
    assert seen == [("old", "new")]  # until the very rename the old content stood there, and the new was whole
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_folder_are_flushed_to_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.path.isdir(f"/proc/self/fd/{descriptor}")))
    files.write(tmp_path / "a", "content")
    assert synced == [False, True]


def test_floats_keep_every_digit():
    assert tomllib.loads(toml.flat({"lr": 1 / 3, "tiny": 5e-324}))["lr"] == 1 / 3
    assert math.ulp(0) == tomllib.loads(toml.flat({"tiny": 5e-324}))["tiny"]
