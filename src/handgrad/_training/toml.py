"""TOML in and out, as far as a run needs it: flat tables, and a list of flat tables."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from handgrad._errors import HandgradError


def read(path: Path) -> dict[str, Any]:
    """The table in a file. Raises HandgradError, one line that names the file, where it is missing or no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise HandgradError(f"{path}: cannot be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise HandgradError(f"{path}: not TOML: {problem}") from problem


def flat(table: Mapping[str, Any]) -> str:
    """`key = value` lines; what is None is left out. Strings, finite numbers, booleans and lists are alike in JSON."""
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items() if value is not None
    )


def array(name: str, tables: Iterable[Mapping[str, Any]]) -> str:
    """`[[name]]` and its lines for every table."""
    return "\n".join(f"[[{name}]]\n{flat(table)}" for table in tables)
