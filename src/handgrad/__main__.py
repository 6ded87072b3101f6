"""`python -m handgrad` is `handgrad`."""

from handgrad._cli import main

main(prog_name="handgrad")
