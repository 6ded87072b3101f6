"""What to race, from words with commas between them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch

from .._errors import error
from . import suite
from .contestants import ALGORITHMS, PEERS, SAMPLERS, missing, own_name, peers_of
from .suite import Shape
from .task import DTYPES, EACH, OPS, Op

_USUAL = ("native", "channels-last")


@dataclass(frozen=True)
class Settings:
    """A whole run: every shape with every operation, dtype and number of threads."""

    shapes: Sequence[Shape]
    ops: Sequence[Op] = OPS
    dtypes: Sequence[torch.dtype] = (torch.float32,)
    threads: Sequence[int] = field(default_factory=lambda: (torch.get_num_threads(),))
    own: Sequence[str] = ("handgrad",)
    peers: Sequence[str] = _USUAL
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.3
    repeats: int = 5


def settle(
    suite_name: str,
    patterns: str,
    op: str,
    dtype: str,
    threads: str,
    algorithm: str,
    against: str | None,
    **budget: float,
) -> Settings:
    """The settings that the command line's words mean; a peer that is not installed is left out, with the reason.

    Without a word about operations they are the suite's, and without one about peers they are the operations'.

    Raises:
        HandgradError: for words that mean nothing here, and as `suite.load`.
    """
    asked = op or ",".join(EACH if suite_name == suite.EACH else OPS)
    ops = [known for known in (*OPS, *EACH) if known in _names("op", asked, (*OPS, *EACH))]
    usual = [name for name in (*_USUAL, *SAMPLERS) if any(name in peers_of(op) for op in ops)]
    peers = _names("peer", against, (*PEERS, *SAMPLERS)) if against else usual if against is None else []
    left_out = {name: reason for name in peers if (reason := missing(name))}
    shapes = suite.load(suite_name)
    return Settings(
        shapes=suite.select(shapes, _words("shapes", patterns)) if patterns else shapes,
        ops=ops,
        dtypes=[DTYPES[name] for name in _names("dtype", dtype, DTYPES)],
        threads=_threads(threads) if threads else (torch.get_num_threads(),),
        own=[own_name(name) for name in _names("algorithm", algorithm, ALGORITHMS)],
        peers=[name for name in peers if name not in left_out],
        left_out=left_out,
        **budget,  # type: ignore[arg-type]  # seconds and repeats, which the command line has read as numbers
    )


def _words(what: str, text: str) -> list[str]:
    words = list(dict.fromkeys(word.strip() for word in text.split(",")))
    if "" in words:
        raise error("bench", f"{what} must be words with commas between them", **{what: repr(text)})
    return words


def _names(what: str, text: str, known: Collection[str]) -> list[str]:
    words = _words(what, text)
    for word in words:
        if word not in known:
            raise error("bench", f"unknown {what} {word!r}", known=", ".join(known))
    return words


def _threads(text: str) -> list[int]:
    words = _words("threads", text)
    if not all(word.isascii() and word.isdigit() and int(word) >= 1 for word in words):
        raise error("bench", "threads must be numbers of at least 1 with commas between them", threads=repr(text))
    return [int(word) for word in words]
