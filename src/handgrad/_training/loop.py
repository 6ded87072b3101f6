"""The training loop. Nothing in it calls autograd: each step runs the backward passes that the layers returned."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from handgrad._algorithms.setting import reproducible

from . import metrics, noise_scale, step
from .evaluate import Result, evaluate
from .private.gradients import gradients as private_gradients
from .run import Run
from .session import Session
from .step import DivergedError


class Reporter(Protocol):
    """Who is told how it goes."""

    def epoch_begins(self, session: Session) -> None:
        """An epoch starts, or goes on at `session.progress.position`."""

    def batch_done(self, session: Session) -> None:
        """Another batch is in `session.progress`."""

    def epoch_done(self, session: Session, line: Mapping[str, Any]) -> None:
        """The line that metrics.jsonl got."""


class Interrupted(Exception):
    """Training was asked to stop; everything up to here is saved."""


@torch.no_grad()
@reproducible("handgrad train")
def fit(session: Session, place: Run, reporter: Reporter, stop: Callable[[], bool]) -> None:
    """Train from wherever `session` is to its last epoch, saving after each and every `config.save_every` seconds.

    `stop` is asked before every batch; when it says yes, the moment is saved and Interrupted is raised. Raises
    DivergedError when a loss is infinite or NaN, HandgradError when an algorithm is set that promises no bits.
    """

    def check() -> None:
        if stop():
            session.save(place)
            raise Interrupted(place.folder)

    while session.progress.epoch < session.config.epochs:
        start = time.monotonic()
        reporter.epoch_begins(session)
        _train_epoch(session, place, reporter, check)
        line = _line(session, _test(session, check), time.monotonic() - start)
        metrics.append(place.metrics, line)  # before the checkpoint: what is too much is cut off, what lacks is lost
        session.progress.finish_epoch(line)
        session.save(place)
        reporter.epoch_done(session, line)


def finish(session: Session, place: Run, result: Result) -> None:
    """Write the end into run.json and leave the checkpoints of the last two epochs."""
    place.tidy(finished=True)
    figures: dict[str, Any] = {"test_loss": result.loss, "test_accuracy": result.accuracy}
    if session.privacy is not None:
        figures |= {"epsilon": session.epsilon, "delta": session.privacy.delta}
    session.facts = dataclasses.replace(session.facts, finished=True, result=figures)
    session.facts.write(place.facts)


@reproducible("handgrad train")
def test(session: Session) -> Result:
    """The network as it is, on the held-out images."""
    return _test(session, lambda: None)


def _test(session: Session, check: Callable[[], None]) -> Result:
    result = evaluate(session.model, session.facts.scaling, session.data.test, session.dtype, check)
    if not math.isfinite(result.loss):  # JSON has no word for it
        epoch = min(session.progress.epoch + 1, session.config.epochs)
        raise DivergedError(f"epoch {epoch}: the test loss is {result.loss}; a lower --lr helps")
    return result


def _train_epoch(session: Session, place: Run, reporter: Reporter, check: Callable[[], None]) -> None:
    """The rest of the epoch, from `progress.position` on."""
    saved = time.monotonic()
    session.model.train()
    for indices in session.rest_of_epoch():
        check()
        if session.config.save_every is not None and time.monotonic() - saved >= session.config.save_every:
            session.save(place)
            saved = time.monotonic()
        _step(session, indices.to(session.data.train.labels.device))
        reporter.batch_done(session)


def _step(session: Session, indices: Tensor) -> None:
    """One batch: gradients, update."""
    if session.privacy is None:
        step.gradients(session, indices)
    else:
        private_gradients(session, session.privacy, indices)
    session.optimizer.step()
    session.scheduler.step()
    session.progress.position += 1


def _line(session: Session, result: Result, seconds: float) -> dict[str, Any]:
    progress = session.progress
    more: dict[str, Any] = {} if session.privacy is None else {"epsilon": session.epsilon}
    if session.config.grad_noise_scale:
        more["grad_noise_scale"] = noise_scale.of(progress)
    return {
        "epoch": progress.epoch + 1,
        "train_loss": progress.mean_loss,
        "train_accuracy": progress.accuracy,
        "test_loss": result.loss,
        "test_accuracy": result.accuracy,
        "lr": session.scheduler.get_last_lr()[0],
        **more,
        "seconds": round(seconds, 3),
    }
