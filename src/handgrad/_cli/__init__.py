"""The command line. Commands import what they need when they run, so that `handgrad --help` stays quick."""

from __future__ import annotations

from typing import NoReturn

import click

from handgrad._errors import HandgradError

from .bench import bench
from .check import check
from .train import train
from .use import evaluate, export, predict


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        """Run the command; errors of handgrad and of the file system become one line and an exit code."""
        try:
            return super().invoke(ctx)
        except HandgradError as problem:
            _stop(str(problem), getattr(problem, "exit_code", 2))
        except BrokenPipeError:
            raise  # click ends quietly when nobody reads on
        except OSError as problem:
            _stop(f"{problem.filename or 'system'}: {problem.strerror or problem}", 1)


def _stop(message: str, exit_code: int) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    raise click.exceptions.Exit(exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="handgrad", message="handgrad %(version)s")
def main() -> None:
    """The gradients of convolution, by hand: check a backward pass, train a network without autograd, and use it.

    \b
    handgrad check layer.py                 say what is wrong with a hand-written backward pass
    handgrad train                          learn the 1,797 digits that come with it
    handgrad train --data DIR --epochs 3    learn MNIST, or what has its format
    handgrad predict RUN picture.png        ask the network
    handgrad bench                          race the convolutions against PyTorch's
    """


for command in (check, train, evaluate, predict, export, bench):
    main.add_command(command)
