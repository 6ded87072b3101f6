"""Rows picked by an index (an embedding), and the maximum along an axis: places that repeat, values that tie."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..slips import Backwards, Slip
from .operation import Known, Operation, Options, Roles, Setting


def _maximum_slips(known: Known) -> Backwards:
    ties = _ties(known)
    message = "every one of several equal maxima gets the whole gradient: it is counted twice"
    slip = Slip("ties-counted-twice", None, message, "give it to one of them (argmax), or divide by their number")
    yield (slip,), lambda g: _spread(known, g) * ties
    slip = Slip("mask-missing", None, "every entry gets the gradient, not the maximum alone", "mask with the argmax")
    yield (slip,), lambda g: _spread(known, g) * torch.ones_like(ties)


def _maximum_conventions(known: Known) -> Iterator[Tensor]:
    ties, axis, g = _ties(known), known.options["dim"], _spread(known, known.g)
    yield g * ties / ties.sum(axis, keepdim=True)
    yield g * ties * (ties.cumsum(axis) == 1)
    yield g * ties * (ties.flip(axis).cumsum(axis).flip(axis) == 1)


def _ties(known: Known) -> Tensor:
    x = known.input
    return (x == x.amax(known.options["dim"], keepdim=True)).double()


def _spread(known: Known, g: Tensor) -> Tensor:
    return g.unsqueeze(known.options["dim"])


def _maximum_guesses(roles: Roles, output: Tensor) -> list[Options]:
    x = roles["input"]
    return [{"dim": axis} for axis in range(-x.dim(), 0)] if x.dim() > output.dim() else []


def _embedding_settings() -> list[Setting]:
    def setting(name: str, rows: int, width: int, *index: int) -> Setting:
        return Setting(name, {"index": index, "weight": (rows, width)}, {}, {"index": f"index:{rows}"})

    return [setting("R1", 5, 3, 2, 7), setting("R2", 4, 6, 9)]  # more places than rows: some repeat


def _maximum_settings() -> list[Setting]:
    return [
        Setting("R1", {"input": (5, 7)}, {"dim": -1}, {"input": "distinct"}),
        Setting("R2", {"input": (4, 3)}, {"dim": -1}, {"input": "distinct"}),
        Setting("ties", {"input": (5, 6)}, {"dim": -1}, {"input": "ties"}),
        Setting("ties 2", {"input": (3, 8)}, {"dim": -1}, {"input": "ties"}),
    ]


def _embedding(roles: Roles, _: Options) -> Tensor:
    return roles["weight"][roles["index"]]


def _maximum(roles: Roles, options: Options) -> Tensor:
    return roles["input"].amax(**options)


def _embedding_guesses(roles: Roles, _output: Tensor) -> list[Options]:
    return [{}] if roles["index"].dtype == torch.int64 else []


OPERATIONS = (
    Operation(
        "embedding",
        ("index", "weight"),
        _embedding,
        _embedding_settings,
        _embedding_guesses,
        required=2,
    ),
    Operation(
        "amax",
        ("input",),
        _maximum,
        _maximum_settings,
        _maximum_guesses,
        slips=_maximum_slips,
        conventions=_maximum_conventions,
    ),
)
