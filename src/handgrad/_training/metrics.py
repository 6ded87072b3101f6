"""metrics.jsonl: one JSON object a line, one line an epoch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import files

Line = Mapping[str, Any]


def append(path: Path, line: Line) -> None:
    """Add a line and see it onto the disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def restore(path: Path, history: Sequence[Line]) -> list[dict[str, Any]]:
    """Make the file agree with a checkpoint's `history`: later lines and a half-written last one go, lost ones return.

    The history has no `seconds`, so that equal runs have equal checkpoints; they are taken from the old lines where
    they still stand (None where not). Returns the lines.
    """
    seconds = {line["epoch"]: line.get("seconds") for line in read(path)}
    lines = [{**line, "seconds": seconds.get(line["epoch"])} for line in history]
    files.write(path, "".join(json.dumps(line) + "\n" for line in lines))
    return lines


def read(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return [line for line in map(_parsed, text.splitlines()) if line]


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "epoch" in line else None
