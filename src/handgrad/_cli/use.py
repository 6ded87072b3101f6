"""`handgrad evaluate`, `predict` and `export`: a trained network at work."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from handgrad._training.use import Trained

PATH = click.Path(path_type=Path)
Command = Callable[..., Any]


def _common(command: Command) -> Command:
    """RUN and --device."""
    command = click.option("--device", help="Where to compute.", show_default="the run's")(command)
    return click.argument("run", type=PATH)(command)


def _trained(run: Path, device: str | None) -> Trained:
    from handgrad._training import use

    return use.load(run, device, lambda text: click.echo(text, err=True))


@click.command()
@_common
@click.option(
    "--data",
    type=PATH,
    metavar="DIR",
    show_default="the run's",
    help="Other images, as for `train`; their test set counts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def evaluate(run: Path, device: str | None, data: Path | None, as_json: bool) -> None:
    """Loss and accuracy of a trained network on test images."""
    from handgrad._training import use

    result, count = use.evaluated(_trained(run, device), data, lambda text: click.echo(text, err=True))
    wrong = round((1 - result.accuracy) * count)
    if as_json:
        loss = result.loss if math.isfinite(result.loss) else None  # JSON has no word for NaN
        click.echo(json.dumps({"accuracy": result.accuracy, "loss": loss, "images": count, "wrong": wrong}))
    else:
        click.echo(f"accuracy {result.accuracy:.2%} ({wrong} of {count} wrong), loss {result.loss:.4f}")


@click.command()
@_common
@click.argument("images", type=PATH, nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object (a list of them for several images), nothing else."
)
def predict(run: Path, device: str | None, images: tuple[Path, ...], as_json: bool) -> None:
    """What a trained network sees in pictures of any size (PNG, JPEG, ...)."""
    from handgrad._training import photo

    trained = _trained(run, device)
    answers = [_answer(trained, path, *photo.read(path, trained.facts)) for path in images]
    if as_json:
        click.echo(json.dumps(answers[0] if len(answers) == 1 else answers))
        return
    for answer in answers:
        notes = f"  ({', '.join(answer['prepared'])})" if answer["prepared"] else ""
        click.echo(f"{answer['image']}: {answer['label']}, {max(answer['probabilities']):.1%} sure{notes}")


def _answer(trained: Trained, path: Path, image: Any, notes: list[str]) -> dict[str, Any]:
    probabilities = trained.probabilities(image)[0]
    label = trained.facts.classes[int(probabilities.argmax())]
    return {
        "image": str(path),
        "label": label,
        "probabilities": probabilities.tolist(),
        "classes": trained.facts.classes,
        "prepared": notes,
    }


@click.command()
@_common
@click.option(
    "--onnx",
    "onnx_file",
    type=PATH,
    metavar="FILE",
    help="ONNX, for any number of images at once; needs handgrad[onnx].",
)
@click.option(
    "--torch", "torch_file", type=PATH, metavar="FILE", help="A state_dict; or, named .pt2, a torch.export program."
)
def export(run: Path, device: str | None, onnx_file: Path | None, torch_file: Path | None) -> None:
    """Hand a trained network on, to be used without handgrad."""
    if onnx_file is None and torch_file is None:
        raise click.UsageError("give --onnx FILE or --torch FILE")
    from handgrad._training import export as exporting

    trained = _trained(run, device)
    if onnx_file is not None:
        exporting.onnx(trained, onnx_file)
        click.echo(f"{onnx_file}: ONNX, images (N, {', '.join(map(str, trained.facts.shape))}) to logits, in float32")
    if torch_file is not None:
        exporting.pytorch(trained, torch_file)
        click.echo(_how_to_load(trained, torch_file))
    click.echo(f"each image must be given as {exporting.preparation(trained)}")


def _how_to_load(trained: Trained, path: Path) -> str:
    if path.suffix == ".pt2":
        return f"{path}: model = torch.export.load({str(path)!r}).module()"
    load = f"model.load_state_dict(torch.load({str(path)!r}, weights_only=True))\nmodel.eval()"
    return f"{path}: a state_dict that fits\n\nmodel = {trained.description.python()}\n{load}\n"
