"""`handgrad train`."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from handgrad._training.config import DTYPES, Config
from handgrad._training.optim import OPTIMIZERS, SCHEDULES
from handgrad._training.private.accounting import ACCOUNTANTS, LEAST_NOISE, shown
from handgrad._training.private.clipping import CLIPPINGS, LEAST_BOUND

from .here import program
from .options import Finite, SaveEvery, from_file

if TYPE_CHECKING:
    from handgrad._training.models import Model
    from handgrad._training.private.accounting import Mechanism
    from handgrad._training.run import Run
    from handgrad._training.session import Session

PATH = click.Path(path_type=Path)
PRIVATE_MODEL = "cnn-group"  # where none is named: batch normalization, as cnn has, cannot be private
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _from_run(ctx: click.Context, param: click.Parameter, folder: Path | None) -> Path | None:
    """A run is taken up with the configuration that lies in it."""
    if folder is not None:
        from handgrad._training import run

        from_file(ctx, param, run.existing(folder).config)
    return folder


def _option(name: str, kind: Any, text: str, **more: Any) -> Callable[[Any], Any]:
    """An option that is a field of `Config`, and has its default there."""
    field = name.split("/")[0].removeprefix("--").replace("-", "_")
    return click.option(name, type=kind, help=text, default=getattr(Config, field), **more)


@click.command(context_settings={"show_default": True})
@click.option(
    "--config",
    type=PATH,
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=from_file,
    help="TOML file of these options; what is typed goes before it.",
)
@click.option(
    "--resume",
    type=PATH,
    metavar="RUN",
    is_eager=True,
    callback=_from_run,
    help="Continue this run with its own options, to the bits it would have had without a stop.",
)
@click.option(
    "--out", type=PATH, metavar="DIR", help="The run's folder, new or empty.", show_default="dated, under runs/"
)
@_option(
    "--data",
    PATH,
    "MNIST's idx files, plain or .gz, also as torchvision lays them; or an .npz file.",
    metavar="DIR",
    show_default="the 1,797 digits that come with handgrad",
)
@_option(
    "--model",
    str,
    "cnn, cnn-group, lenet, or a file that lists [[layers]].",
    metavar="NAME|FILE.toml",
    show_default=f"cnn; with --private {PRIVATE_MODEL}",
)
@_option("--epochs", click.IntRange(min=1), "How often every image is seen.")
@_option("--batch-size", click.IntRange(1, 2**31 - 1), "Images in a step.")
@_option("--optimizer", click.Choice(list(OPTIMIZERS)), "Of torch.optim.")
@_option("--lr", Finite(min=0, min_open=True), "Learning rate, at its highest.")
@_option("--momentum", Finite(min=0, max=1, max_open=True), "Of sgd; of adam and adamw the beta1.")
@_option("--weight-decay", Finite(min=0), "Of any of them.")
@_option("--schedule", click.Choice(list(SCHEDULES)), "The learning rate over the run; step: a tenth after each third.")
@_option(
    "--augment-shift", click.IntRange(0, 2**31 - 1), "Move training images by up to so many pixels.", metavar="PIXELS"
)
@_option("--dtype", click.Choice(list(DTYPES)), "What the network computes in.")
@_option("--device", str, "cpu, cuda, cuda:1, ...")
@_option("--seed", click.IntRange(0, 2**63 - 1), "Of weights, order, dropout, shifts, and the split of the digits.")
@_option(
    "--verify/--no-verify", bool, "Compare every gradient with autograd in float64 first; a wrong one stops the run."
)
@_option(
    "--save-every",
    SaveEvery(),
    "Seconds between checkpoints within an epoch; or 'epoch', after epochs alone.",
    metavar="SECONDS|epoch",
)
@_option(
    "--grad-noise-scale",
    bool,
    "Tell with each epoch how noisy an image's gradient is; not of cnn, but of cnn-group.",
    is_flag=True,
)
@_option("--private", bool, "Differentially private (DP-SGD); the options below are for it.", is_flag=True)
@_option("--max-grad-norm", Finite(min=LEAST_BOUND), "The norm that each image's gradient is clipped to.")
@_option("--noise-multiplier", Finite(min=LEAST_NOISE), "The noise on the clipped sum, in --max-grad-norm.")
@_option(
    "--target-epsilon", Finite(min=0, max=100, min_open=True), "Find the noise that keeps the whole run within this ε."
)
@_option("--delta", Finite(min=0, max=1, min_open=True, max_open=True), "The δ that ε is told for.")
@_option("--clipping", click.Choice(CLIPPINGS), "All gradients together, or each layer's to its equal share.")
@_option("--accountant", click.Choice(list(ACCOUNTANTS)), "Privacy loss distributions, or Rényi divergences.")
@_option("--secure-noise", bool, "Noise and batches from the operating system: not to be repeated.", is_flag=True)
@_option("--max-physical-batch-size", click.IntRange(min=1), "Images that go through the network at once.")
@click.pass_context
def train(ctx: click.Context, /, resume: Path | None, out: Path | None, **options: Any) -> None:
    """Train a network on labelled images, with no autograd anywhere.

    Ctrl-C saves and says how to go on. The run's folder gets checkpoints, metrics.jsonl, run.json, config.toml (for
    --config), model.toml (for --model), and pictures at the end.
    """
    if resume is not None:
        _nothing_else(ctx)
    if options["private"] and ctx.get_parameter_source("model") is ParameterSource.DEFAULT:
        options["model"] = PRIVATE_MODEL
    from handgrad._training.loop import Interrupted
    from handgrad._training.memory import keep_freed

    keep_freed()
    with _stopping() as asked:
        try:
            _train(Config(**options), resume, out, lambda: bool(asked))
        except Interrupted as folder:
            click.echo(f"stopped and saved; to go on:\n  {program()} train --resume {shlex.quote(str(folder))}")
            ctx.exit(128 + asked[0])


def _nothing_else(ctx: click.Context) -> None:
    """Nothing may be said beside --resume: a run with other options would be another run."""
    for param in ctx.command.params:
        typed = ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        if typed and param.name != "resume":
            raise click.UsageError(f"--resume goes on with the run's own options; leave out {param.opts[0]}", ctx)


def _train(config: Config, resume: Path | None, out: Path | None, stop: Callable[[], bool]) -> None:
    from handgrad._training import loop, pictures

    from .progress import reporter, summary

    with ExitStack() as held:
        opened = _begin(config, out, held) if resume is None else _take_up(config, resume, held)
        if opened is None:
            return
        session, place = opened
        with reporter(session) as told:
            loop.fit(session, place, told, stop)
        result = loop.test(session)
        drawn = pictures.draw(session, place, result)
        loop.finish(session, place, result)
    summary(session, place, result, drawn)


def _begin(config: Config, out: Path | None, held: ExitStack) -> tuple[Session, Run]:
    """A new run; `held` keeps its folder locked."""
    from handgrad._training import models, run, session

    if out is not None:
        run.check_free(out)  # now, and not after the data is read
    begun = _prepared(config, models.read(config.model))
    place = session.begin(begun, out)
    held.enter_context(place.locked())
    return begun, place


def _take_up(config: Config, folder: Path, held: ExitStack) -> tuple[Session, Run] | None:
    """The run in a folder, or None if there is nothing left to do."""
    from handgrad._training import facts, models, run, session

    place = run.existing(folder)
    held.enter_context(place.locked())
    before = facts.Facts.read(place.facts)
    if before.finished:
        accuracy = before.result["test_accuracy"]
        click.echo(f"{folder} is finished: {config.epochs} epochs, test accuracy {accuracy:.2%}. Nothing left to do.")
        return None
    resumed = _prepared(config, models.read(str(place.model)), before.privacy)
    session.take_up(resumed, place, lambda text: click.echo(text, err=True))
    progress, spent = resumed.progress, "" if resumed.epsilon is None else f", ε {shown(resumed.epsilon)} so far"
    click.echo(f"going on after {progress.epoch} epochs and {progress.position} of {resumed.batches} batches{spent}")
    return resumed, place


def _prepared(config: Config, description: Model, privacy: Mechanism | None = None) -> Session:
    """Put together, described and, if wanted, verified."""
    from handgrad._training import session

    if config.target_epsilon is not None and privacy is None:
        click.echo(f"looking for the noise that keeps the run within ε = {config.target_epsilon:g}")
    prepared = session.prepare(config, description, privacy)
    data, facts = prepared.data, prepared.facts
    counts = f"{len(data.train)} images to train on, {len(data.test)} to test"
    click.echo(f"data   {facts.data}: {counts}, {'x'.join(map(str, facts.shape))}, {len(facts.classes)} classes")
    click.echo(f"model  {description.source}: {facts.parameters} parameters in {len(prepared.model)} layers")
    if prepared.privacy is not None:
        _describe(prepared, prepared.privacy)
    if config.verify:
        session.check_gradients(prepared, click.echo)
    return prepared


def _describe(session: Session, privacy: Mechanism) -> None:
    """What a private run will do, and what its ε does not cover."""
    config, images, steps = session.config, len(session.data.train), session.config.epochs * session.batches
    click.echo(
        f"privacy ε = {shown(privacy.epsilon(steps))} at δ = {privacy.delta:g} after {steps} steps: noise multiplier "
        f"{privacy.noise_multiplier:.4g}, {config.clipping} clipping to {privacy.max_grad_norm:g}, each image in a "
        f"batch with probability {privacy.sampling_probability:.4g}"
    )
    if privacy.delta >= 1 / images:
        click.echo(f"warning: δ = {privacy.delta:g} is not below 1/{images}: so much lets whole images out", err=True)
    if not config.secure_noise:
        click.echo("warning: whoever knows --seed can take the noise away; --secure-noise has no seed", err=True)


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """A list that gets the signal's number when somebody wants this to end. The second time, it ends at once."""
    asked: list[int] = []
    before = [(number, signal.getsignal(number)) for number in SIGNALS]

    def ask(number: int, _frame: object) -> None:
        asked.append(number)
        restore()

    def restore() -> None:
        for number, handler in before:
            signal.signal(number, handler)

    for number in SIGNALS:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        restore()
