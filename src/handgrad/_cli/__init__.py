"""The command line. A command is imported when it is called, and what it needs when it runs: torch takes a second."""

from __future__ import annotations

from importlib import import_module
from typing import NoReturn

import click

from handgrad._errors import HandgradError

_COMMANDS = {  # each with its module
    "bench": "bench",
    "check": "check",
    "evaluate": "use",
    "explain": "explain",
    "export": "use",
    "predict": "use",
    "train": "train",
}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """All commands, unloaded."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f".{_COMMANDS[cmd_name]}", __name__), cmd_name)
        return command

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
    handgrad explain                        show where every number of a convolution comes from
    handgrad train                          learn the 1,797 digits that come with it
    handgrad train --data DIR --epochs 3    learn MNIST, or what has its format
    handgrad predict RUN picture.png        ask the network
    handgrad bench                          race the convolutions against PyTorch's
    """
