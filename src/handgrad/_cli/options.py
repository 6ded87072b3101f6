"""How options are read: types that click lacks, and a TOML file as a second command line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click


class Finite(click.FloatRange):
    """A number in a range; click's own lets NaN and infinity pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Fails as click's types do."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class SaveEvery(click.ParamType[float | None]):
    """`epoch`, which is None, or seconds."""

    name = "epoch|SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """The seconds, or None. Fails as click's types do."""
        return None if value in (None, "epoch") else Finite(min=0).convert(value, param, ctx)


def from_file(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Make a TOML file's values the defaults of this command, so that click checks them as if they had been typed.

    Keys are the long options' names, with - or _. Fails for unknown keys and for tables. A path in the file is seen
    from the file's folder.
    """
    if path is None:
        return None
    from handgrad._training import toml

    known = {option.name: option for option in ctx.command.params if option.name not in ("config", "resume", "help")}
    defaults: dict[str, Any] = {}
    for key, value in toml.read(path).items():
        name = key.replace("-", "_")
        if name not in known:
            raise click.BadParameter(f"{path}: unknown key {key!r}; known are {', '.join(map(str, known))}", ctx, param)
        if isinstance(value, list | dict):
            raise click.BadParameter(f"{path}: {key} must be one value", ctx, param)
        # As text: the number 3.5 would pass as the integer 3, the text "3.5" does not.
        defaults[name] = str(path.parent / value) if _is_path(name, value) else str(value)
    ctx.default_map = {**(ctx.default_map or {}), **defaults}
    return path


def _is_path(name: str, value: Any) -> bool:
    return isinstance(value, str) and (name in ("data", "out") or (name == "model" and value.endswith(".toml")))
