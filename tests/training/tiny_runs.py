"""Runs that take a tenth of a second, yet have everything whose state could be forgotten: momentum, dropout, shifts."""

import json
from pathlib import Path
from typing import Any

import idx_files

from handgrad._training import loop, models, session
from handgrad._training import run as runs
from handgrad._training.config import Config
from handgrad._training.run import Run

MODEL = """
[[layers]]
type = "Conv2d"
out_channels = 3
kernel_size = 3

[[layers]]
type = "BatchNorm2d"

[[layers]]
type = "ReLU"

[[layers]]
type = "MaxPool2d"
kernel_size = 2

[[layers]]
type = "Flatten"

[[layers]]
type = "Dropout"
p = 0.2

[[layers]]
type = "Linear"
"""
PRIVATE_MODEL = MODEL.replace('"BatchNorm2d"', '"GroupNorm"\nnum_groups = 1')
BATCHES = 5  # in an epoch of 40 images


PRIVATE = {"private": True, "max_grad_norm": 0.5, "noise_multiplier": 1.0, "delta": 1e-3, "accountant": "rdp"}


class Silent:
    """A reporter that counts."""

    def __init__(self):
        self.batches = 0

    def epoch_begins(self, _session):
        pass

    def batch_done(self, _session):
        self.batches += 1

    def epoch_done(self, _session, _line):
        pass


def config(folder: Path, **changes: Any) -> Config:
    """For the data and the model that this puts into `folder`."""
    (folder / "tiny.toml").write_text(PRIVATE_MODEL if changes.get("private") else MODEL)
    data = idx_files.write(folder / "data", idx_files.arrays())
    given = {
        "model": str(folder / "tiny.toml"),
        "epochs": 2,
        "batch_size": 8,
        "augment_shift": 1,
        "lr": 0.01,
        "seed": 5,
    }
    return Config(data=data, verify=False, **given | changes)


def prepared(told: Config) -> session.Session:
    """Before the first step."""
    return session.prepare(told, models.read(told.model))


def begin(told: Config, folder: Path) -> tuple[session.Session, Run]:
    """In an empty folder."""
    begun = prepared(told)
    return begun, session.begin(begun, folder)


def take_up(told: Config, folder: Path, say=print) -> tuple[session.Session, Run]:
    """As --resume does."""
    place = runs.existing(folder)
    resumed = session.prepare(told, models.read(str(place.model)))
    session.take_up(resumed, place, say)
    return resumed, place


def go(opened: tuple[session.Session, Run], batches: int | None = None) -> bool:
    """Train on, for so many batches or to the end; whether the end was reached."""
    reporter = Silent()
    try:
        loop.fit(*opened, reporter, lambda: reporter.batches == batches)
    except loop.Interrupted:
        return False
    loop.finish(*opened, loop.test(opened[0]))
    return True


def content(folder: Path) -> dict[str, object]:
    """Every file of a run by its path: its bytes, or the lines of metrics.jsonl without `seconds`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "metrics.jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            assert all(line.pop("seconds") is not None for line in lines)
            found[path.name] = lines
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found
