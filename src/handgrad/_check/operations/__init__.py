"""Reference operations: what a piece of code may be declared to be, or recognised as.

Each file has one family: its forward passes by torch, the settings to run them at, and the slips that only make sense
there. Everything generic (operands, transposes, constants …) is in `slips`.
"""

from __future__ import annotations

from ..._errors import error
from . import (
    activations,
    attention,
    composed,
    convolutions,
    indexing,
    losses,
    norms,
    poolings,
    products,
    softmaxes,
    uneven,
)
from .binding import Bound, recognise
from .operation import Known, Operation, Setting

__all__ = ["Bound", "Known", "Operation", "Setting", "get", "names", "recognise"]

_FAMILIES = (
    *(products, convolutions, poolings, activations, norms, softmaxes, losses, attention, indexing, composed),
    uneven,  # last: they have the most options
)
_ALL: dict[str, Operation] = {operation.name: operation for family in _FAMILIES for operation in family.OPERATIONS}


def names() -> tuple[str, ...]:
    """The names of all operations, in the order in which they are tried."""
    return tuple(_ALL)


def get(name: str) -> Operation:
    """The operation of a name.

    Raises:
        HandgradError: where there is none of that name; it lists the names.
    """
    if name not in _ALL:
        raise error("check", f"no operation is called {name!r}", known=", ".join(names()))
    return _ALL[name]
