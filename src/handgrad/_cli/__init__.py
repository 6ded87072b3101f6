"""The command line: `handgrad check`."""

from __future__ import annotations

import click

from .check import check


@click.group()
def main() -> None:
    """The gradients of convolution, by hand."""


main.add_command(check)
