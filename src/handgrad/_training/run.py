"""A run's folder: what lies in it, how it is made, which checkpoint counts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from handgrad._errors import HandgradError

from . import checkpoint
from .checkpoint import Tensors

Say = Callable[[str], None]
T = TypeVar("T")


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

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else trains here meanwhile. Raises HandgradError if somebody does so already."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as problem:
            raise HandgradError(f"{self.folder}: another process is training this run") from problem
        finally:
            os.close(descriptor)  # and with it goes the lock, as it does when the process is killed

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
        """Take away what a killed process left half-written, and the checkpoints newer than `after`, all unusable.

        What is not damaged, but foreign or not to be read by us, is somebody's: it is renamed to *.unusable.
        """
        for path in [*self.folder.glob(".*.tmp"), *self.checkpoints.glob(".*.tmp")]:
            path.unlink()
        for path in self.newest_first():
            if path > after:
                path.unlink() if _damaged(path) else path.replace(f"{path}.unusable")

    def newest(self, identity: str, take: Callable[[Tensors, dict[str, Any]], T], say: Say) -> tuple[Path, T]:
        """The newest checkpoint that can be used, and what `take` made of its tensors and facts.

        Those that are damaged, carry another `identity` (`Facts.identity`) or another place in the run than their
        name, or of which `take` raises HandgradError, are told of and passed over. Raises HandgradError when none is
        left.
        """
        for path in self.newest_first():
            try:
                tensors, facts = checkpoint.load(path)
                taken = take(tensors, facts)
                self._check(path, facts, identity)
                return path, taken
            except HandgradError as problem:
                say(f"warning: {path}: {problem}; trying the one before")
        raise HandgradError(f"{self.folder}: no usable checkpoint in it")

    def _check(self, path: Path, facts: dict[str, Any], identity: str) -> None:
        """Raises HandgradError where a checkpoint is not what it is taken for: a copy, or renamed."""
        if facts.get("run") != identity:
            raise HandgradError("the checkpoint is of another run")
        epoch, position = facts["progress"]["epoch"], facts["progress"]["position"]
        if path != self.checkpoint(epoch, position):
            raise HandgradError(f"renamed: it was saved after {epoch} epochs and {position} batches")


def _damaged(path: Path) -> bool:
    try:
        checkpoint.load(path)
    except HandgradError as problem:
        return isinstance(problem, checkpoint.DamagedError)
    return False


def check_free(folder: Path) -> None:
    """Raises HandgradError if there is something at `folder` that a run would be put on top of."""
    if folder.exists() and not folder.is_dir():
        raise HandgradError(f"{folder}: not a folder")
    if folder.exists() and any(folder.iterdir()):
        raise HandgradError(f"{folder}: not empty, and no run is overwritten; --resume continues one")


def create(folder: Path | None) -> Run:
    """An empty folder to train in; None is a dated one under runs/. Raises HandgradError if something is in it."""
    run = Run(_dated() if folder is None else folder)
    check_free(run.folder)
    run.checkpoints.mkdir(parents=True)
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
