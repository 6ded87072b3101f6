"""`handgrad explain`: a page that shows how the numbers of a convolution and of its gradients come about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from handgrad._explain import Trace

PATH = click.Path(path_type=Path)
_MODES = ("zeros", "reflect", "replicate", "circular")
_OF_A_RUN = ("run", "layer", "image")
_ANYWAY = ("out", "show_text")


class Sizes(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """`2`, `3x2` or `3,2`: a number, or one for every axis; some options also know words."""

    name = "N[xN…]"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A tuple of ints, or the word. Fails as click's types do."""
        if isinstance(value, tuple) or value in self.words:
            return value
        try:
            return tuple(int(part) for part in value.lower().replace("×", ",").replace("x", ",").split(","))
        except ValueError:
            self.fail(f"{value!r} is neither a number nor numbers with x between them", param, ctx)


def _option(name: str, kind: Any, default: Any, text: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(name, type=kind, default=default, help=text, **more)


@click.command(context_settings={"show_default": True})
@click.argument("run", type=PATH, required=False)
@_option("--input", Sizes(), "1x2x5x6", "Samples, channels, and one to three sizes.", metavar="NxCxHxW")
@_option("--kernel", Sizes(), None, "One size, or one for every axis.", metavar="KHxKW", show_default="3, 3x2 or 3x2x2")
@_option("--out-channels", click.IntRange(min=1), 3, "Of the output.")
@_option("--stride", Sizes(), "1", "Steps of the window.")
@_option("--padding", Sizes("same", "valid"), "0", "Or 'same'.")
@_option("--dilation", Sizes(), "1", "Distance between neighbouring taps of the kernel.")
@_option("--groups", click.IntRange(min=1), 1, "Blocks of channels, each convolved on its own.")
@_option("--padding-mode", click.Choice(_MODES), "zeros", "What stands in the padding.")
@_option("--transposed", bool, False, "Explain the transposed convolution.", is_flag=True)
@_option("--output-padding", Sizes(), "0", "Of a transposed convolution.")
@_option("--bias/--no-bias", bool, True, "Add a bias.")
@_option("--layer", click.IntRange(min=0), 0, "Of RUN: which layer, counted from 0.")
@_option("--image", click.IntRange(min=0), 0, "Of RUN: which test image, counted from 0.")
@_option(
    "--out", PATH, None, "Write this file: .html, .svg, .json or .txt.", metavar="FILE", show_default="explain.html"
)
@click.option("show_text", "--text", is_flag=True, help="Print the numbers, and write no file but --out.")
@click.pass_context
def explain(ctx: click.Context, /, run: Path | None, out: Path | None, show_text: bool, **asked: Any) -> None:
    """Show how the numbers of a convolution and of all its gradients come about, on a page to open in a browser.

    \b
    handgrad explain --input 1x2x5x6 --kernel 3x2 --stride 2    small integers in these sizes
    handgrad explain RUN --layer 0 --image 7                    a trained network, reading one of its test images
    """
    from handgrad._explain.trace import check_path

    _check(ctx, run)
    if out is not None:
        check_path(out)
    trace = _of_run(run, asked["layer"], asked["image"]) if run is not None else _of_sizes(**asked)
    if show_text:
        click.echo(str(trace), nl=False)
    if out is not None or not show_text:
        path = trace.save(out or Path("explain.html"))
        click.echo(f"{trace!r}\nwrote {path}", err=show_text)


def _check(ctx: click.Context, run: Path | None) -> None:
    """Raise where options of the one way are given with the other."""
    typed = [
        param
        for param in ctx.command.params
        if param.name and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
    ]
    for param in typed:
        if param.name not in _ANYWAY and (param.name in _OF_A_RUN) != (run is not None):
            reason = "has no meaning with RUN, which has sizes of its own" if run is not None else "needs RUN"
            raise click.UsageError(f"{param.opts[0]} {reason}", ctx)


def _of_run(run: Path, layer: int, image: int) -> Trace:
    from handgrad._training.explain import explain_layer

    return explain_layer(run, layer, image, lambda text: click.echo(text, err=True))


def _of_sizes(
    *,
    input: tuple[int, ...],
    kernel: tuple[int, ...] | None,
    out_channels: int,
    groups: int,
    bias: bool,
    transposed: bool,
    layer: int,
    image: int,
    **options: Any,
) -> Trace:
    from handgrad._explain import explain as explained

    del layer, image
    if len(input) not in (3, 4, 5):
        raise click.UsageError("--input needs samples, channels and one to three sizes, as in 1x2x5x6")
    dims = len(input) - 2
    kernel = (3, 2, 2)[:dims] if kernel is None else kernel * dims if len(kernel) == 1 else kernel
    if len(kernel) != dims:
        sizes = "x".join(map(str, kernel))
        raise click.UsageError(f"--kernel {sizes} has {len(kernel)} sizes, and --input has {dims} after its channels")
    if input[1] % groups or out_channels % groups:
        raise click.UsageError(f"--groups {groups} must divide the channels, {input[1]} and {out_channels}")
    first, second = (input[1], out_channels) if transposed else (out_channels, input[1])
    weight = (first, second // groups, *kernel)
    return explained(input, weight, (out_channels,) if bias else None, groups=groups, transposed=transposed, **options)
