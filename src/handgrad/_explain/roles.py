"""Which tensor plays which part: a transposed convolution is the same arithmetic with the parts exchanged.

Every meeting multiplies one entry on the *image* side (the grid that the kernel slides over), one tap of the kernel,
and one entry on the *map* side (the grid of the windows).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Roles:
    """Names of tensors, by their part."""

    image: str  # the operand that is slid over, and unfolded
    map: str  # the operand with an entry a window
    folded: str  # the result on the image side
    gathered: str  # the result on the map side
    unfolded: str  # the image's columns
    product: str  # the columns that are folded


CONV = Roles("input", "grad_output", "grad_input", "output", "columns", "grad_columns")
TRANSPOSED = Roles("grad_output", "input", "output", "grad_input", "grad_columns", "columns")

SYMBOLS = {
    "input": "x",
    "weight": "w",
    "bias": "b",
    "output": "y",
    "columns": "cols",
    "grad_output": "dy",
    "grad_input": "dx",
    "grad_weight": "dw",
    "grad_bias": "db",
    "grad_columns": "dcols",
}
"""The short name of each tensor, in the order in which a reader meets them."""

OPERANDS = ("input", "weight", "bias", "grad_output")

_GRID_WORDS = {1: ("position",), 2: ("row", "column"), 3: ("slice", "row", "column")}
_GRID_LETTERS = {1: ("",), 2: ("H", "W"), 3: ("D", "H", "W")}


def letters(name: str, dims: int, transposed: bool, groups: int) -> tuple[str, ...]:
    """The letters of a tensor's axes: those of `handgrad.functional`, with H and W where there are two of a kind."""
    per_group = "/G" if groups > 1 else ""
    grid = {kind: tuple(kind + end for end in _GRID_LETTERS[dims]) for kind in "IKL"}
    match name.removeprefix("grad_"):
        case "input":
            return ("N", "C", *grid["I"])
        case "output":
            return ("N", "O", *grid["L"])
        case "weight":
            return ("C", "O" + per_group, *grid["K"]) if transposed else ("O", "C" + per_group, *grid["K"])
        case "bias":
            return ("O",)
        case _:
            return ("N", "O·K", "I") if transposed else ("N", "C·K", "L")


def words(name: str, dims: int, transposed: bool) -> tuple[str, ...]:
    """What a person says for the letters: "out 0, in 1, row 2, column 0"."""
    match name.removeprefix("grad_"):
        case "input" | "output":
            return ("sample", "channel", *_GRID_WORDS[dims])
        case "weight":
            return ("in", "out", *_GRID_WORDS[dims]) if transposed else ("out", "in", *_GRID_WORDS[dims])
        case "bias":
            return ("out",)
        case _:
            return ("sample", "row", "column")
