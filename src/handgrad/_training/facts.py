"""run.json: what a run is made of, for whoever reads it later and for the commands that use the network."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from handgrad._errors import HandgradError

from . import files
from .images import Scaling
from .private.accounting import Mechanism

FORMAT = 1


def versions() -> dict[str, str]:
    """Of everything that can change a bit of the result."""
    packages = {name: version(name) for name in ("handgrad", "torch", "numpy", "safetensors")}
    return {**packages, "python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}


@dataclass(frozen=True)
class Facts:
    """The content of run.json. `shape` is (C, H, W); `classes` are the labels in the order of the outputs.

    `privacy` is of private runs alone.
    """

    seed: int
    config: dict[str, Any]
    data: str
    fingerprint: str
    shape: tuple[int, int, int]
    classes: tuple[int, ...]
    scaling: Scaling
    parameters: int
    privacy: Mechanism | None = None
    format: int = FORMAT
    threads: int = field(default_factory=torch.get_num_threads)
    versions: dict[str, str] = field(default_factory=versions)
    finished: bool = False
    result: dict[str, Any] = field(default_factory=dict)

    def identity(self, network: str) -> str:
        """A digest over all that decides a run's bits, `network` its model.toml; its checkpoints carry it."""
        idle = ("data", "model", "verify", "save_every")  # two are paths, two change nothing
        deciding = {key: value for key, value in self.config.items() if key not in idle}
        private = [] if self.privacy is None else [dataclasses.asdict(self.privacy)]
        text = json.dumps([deciding, self.fingerprint, network, *private], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def write(self, path: Path) -> None:
        """As JSON, in one step."""
        files.write(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")

    @staticmethod
    def read(path: Path) -> Facts:
        """Back again. Raises HandgradError, one line that names the file, where it is damaged or of another format."""
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            if table["format"] != FORMAT:
                raise HandgradError(f"{path}: format {table['format']}; this handgrad reads format {FORMAT}")
            kept = {key: _restored(key, table[key]) for key in ("shape", "classes", "scaling")}
            told = table.get("privacy")  # runs that are older have none
            return Facts(**table | kept | {"privacy": told and Mechanism(**told)})
        except HandgradError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise HandgradError(f"{path}: damaged: {problem!r}") from problem


def _restored(key: str, value: Any) -> Any:
    """What JSON has no type for."""
    if key == "scaling":
        return Scaling(**value | {key: tuple(value[key]) for key in ("mean", "std")})
    return tuple(value)
