"""`python -m handgrad`."""

from ._cli import main

main(prog_name="handgrad")
