"""All plays of a program: the one place that knows which style is run how."""

from __future__ import annotations

import numpy as np

from . import functions, layers
from .functions import play_functions
from .layers import play_layer
from .play import Array, Play, array, load
from .scripts import play_script
from .sizes import draws
from .table import Entry


def is_layer(entry: Entry) -> bool:
    return entry.style in ("class", "module")


def play(entry: Entry, inputs: list[Array], grad_output: Array | None = None) -> Play:
    """One run of anything but a script."""
    return (play_layer if is_layer(entry) else play_functions)(entry, inputs, grad_output)


def plays(entry: Entry) -> list[Play]:
    """One play for a script and for `example_inputs()`, else two."""
    if entry.style == "script":
        return [play_script(entry)]
    own = load(entry).get("example_inputs")
    if own is not None:
        return [play(entry, [_float64(array(value)) for value in own()])]
    names = (layers if is_layer(entry) else functions).parameters(entry)
    return [play(entry, inputs) for inputs in draws(entry, names)]


def _float64(value: Array) -> Array:
    return value.astype(np.float64) if value.dtype.kind == "f" else value
