"""A run's folder: what lies in it, how it is made, which checkpoint counts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from handgrad._errors import HandgradError

from . import checkpoint
from .checkpoint import Tensors

Say = Callable[[str], None]
Loaded = tuple[Path, Tensors, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """The folder and the names in it."""

    folder: Path

    @property
    def config(self) -> Path:
        """The resolved configuration, usable with `--config`."""
        return self.folder / "config.toml"

    @property
    def model(self) -> Path:
        """The network's description, with nothing left to infer."""
        return self.folder / "model.toml"

    @property
    def facts(self) -> Path:
        """What `facts.Facts` holds."""
        return self.folder / "run.json"

    @property
    def metrics(self) -> Path:
        """A line an epoch."""
        return self.folder / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    def lock(self) -> None:
        """Keep other processes from training here until this one ends. Raises HandgradError if one does so already."""
        descriptor = os.open(self.folder, os.O_RDONLY)  # left open: the lock lasts as long as the descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise HandgradError(f"{self.folder}: another process is training this run") from problem

    def checkpoint(self, epoch: int, position: int) -> Path:
        """The checkpoint after `epoch` whole epochs and `position` batches; names sort as time goes."""
        return self.checkpoints / f"{epoch:05d}-{position:08d}.safetensors"

    def newest_first(self) -> list[Path]:
        """Every checkpoint there is."""
        return sorted(self.checkpoints.glob("*-*.safetensors"), reverse=True)

    def tidy(self, finished: bool = False) -> None:
        """Keep the last two checkpoints and those of the last two whole epochs; of a finished run the latter alone."""
        present = self.newest_first()
        whole = [path for path in present if path.stem.endswith("-" + "0" * 8)][:2]
        for path in set(present) - set(whole) - set([] if finished else present[:2]):
            path.unlink()

    def sweep(self, after: Path) -> None:
        """Take away what a killed process left half-written, and the checkpoints newer than `after`, all unusable."""
        stale = [*self.folder.glob(".*.tmp"), *self.checkpoints.glob(".*.tmp")]
        for path in stale + [path for path in self.newest_first() if path > after]:
            path.unlink()

    def readable(self, say: Say) -> Iterator[Loaded]:
        """Checkpoints that can be believed, newest first. The others are told of and passed over.

        Raises HandgradError when there is none left.
        """
        for path in self.newest_first():
            try:
                yield path, *checkpoint.load(path)
            except HandgradError as problem:
                say(f"warning: {problem}; trying the one before")
        raise HandgradError(f"{self.folder}: no usable checkpoint in it")


def create(folder: Path | None) -> Run:
    """An empty folder to train in; None is a dated one under runs/. Raises HandgradError if something is in it."""
    run = Run(_dated() if folder is None else folder)
    try:
        run.checkpoints.parent.mkdir(parents=True, exist_ok=True)
        if any(run.folder.iterdir()):
            raise HandgradError(f"{run.folder}: not empty, and no run is overwritten; --resume continues one")
        run.checkpoints.mkdir()
    except OSError as problem:
        raise HandgradError(f"{run.folder}: cannot be made: {problem.strerror}") from problem
    return run


def existing(folder: Path) -> Run:
    """A folder that a run was begun in. Raises HandgradError if it is not one."""
    run = Run(folder)
    if not folder.is_dir():
        raise HandgradError(f"{folder}: no such folder")
    for path in (run.config, run.model, run.facts):
        if not path.is_file():
            raise HandgradError(f"{folder}: not a run of handgrad: {path.name} is missing")
    return run


def _dated() -> Path:
    """runs/DATE_TIME, with a number behind it when two runs begin in one second."""
    base = Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    names = [base, *(base.with_name(f"{base.name}_{number}") for number in range(2, 100))]
    return next(path for path in names if not path.exists())
