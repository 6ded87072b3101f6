"""corpus.toml, one `Entry` a program."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent.parent
GEOMETRY = ("stride", "padding", "dilation", "groups")


@dataclass(frozen=True)
class Entry:
    """One `[[program]]`; the keys are explained in corpus/README.md."""

    name: str
    set: str
    style: str
    library: str
    topic: str
    args: list[str]
    expect: str
    note: str
    also: list[str] = field(default_factory=list)
    accept: list[str] = field(default_factory=list)
    gradient: list[str] = field(default_factory=list)
    target: str | None = None

    @property
    def path(self) -> Path:
        return HERE / "corpus" / self.set / f"{self.name}.py"

    def options(self, flag: str) -> list[str]:
        """What follows each `--flag`."""
        return [value for key, value in zip(self.args, self.args[1:], strict=False) if key == f"--{flag}"]

    @property
    def like(self) -> str | None:
        return next(iter(self.options("like")), None)

    @property
    def geometry(self) -> dict[str, int]:
        """The settings that are passed on by keyword."""
        return {key: int(self.options(key)[0]) for key in GEOMETRY if self.options(key)}


def entries() -> list[Entry]:
    """All programs, in the table's order."""
    return [Entry(**table) for table in tomllib.loads((HERE / "corpus.toml").read_text())["program"]]
