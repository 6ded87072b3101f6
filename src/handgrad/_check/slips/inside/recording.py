"""The forward pass step by step: what torch made of what."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ...case import Tracked
from ...subjects import traced

Site = tuple[tuple[str, int], ...]  # the calls in the user's code that led here: function and place in its bytecode
Run = Callable[[TorchFunctionMode], Tracked | None]

_PACKAGE, _TORCH = str(Path(__file__).parents[2]), str(Path(torch.__file__).parent)
_BETWEEN = (__file__, traced.__file__)
_LIMIT = 600  # calls; a longer forward is a loop over entries


@dataclass(frozen=True)
class Step:
    """One call of torch in the forward pass."""

    index: int
    name: str
    args: tuple[Any, ...]
    sources: tuple[int, ...]  # the steps that made those of its operands that depend on the input
    direct: bool  # whether the input itself is an operand
    output: Any
    site: Site
    line: int

    @property
    def tensor(self) -> Tensor:
        """The output of a step that has one."""
        output: Tensor = self.output
        return output


class Recorder(TorchFunctionMode):
    """Takes down every call of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, tuple[Any, ...], Any, Site, int]] = []

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call itself, taken down."""
        output = func(*args, **(kwargs or {}))
        if len(self.calls) > _LIMIT:
            raise OverflowError("too many steps to be looked at")
        site, line = _site()
        self.calls.append((_name(func), (*args, *(kwargs or {}).values()), output, site, line))
        pieces = pieces_of(output)
        for place, (whole, piece) in enumerate(pieces):
            self.calls.append(("getitem", (whole,), piece, (*site, ("piece", place)) if site else site, line))
        return tuple(piece for _, piece in pieces) or output


def pieces_of(output: Any) -> list[tuple[Tensor, Tensor]]:
    """What a split returns, each piece with a view of it: a step by itself, as `x[:, :n]` is."""
    apart = type(output) in (tuple, list) and all(isinstance(piece, Tensor) for piece in output)
    return [(piece, piece[...]) for piece in output] if apart else []


def _name(func: Any) -> str:
    """torch's word: `add` for `__radd__`; `T` for the property; in-place calls keep their underscore."""
    name: str = getattr(func, "__name__", "")
    if name == "__get__":
        return str(getattr(func.__self__, "__name__", ""))
    if not name.startswith("__"):
        return name
    return _OPERATORS.get(name, name.strip("_"))


_OPERATORS = {
    "__radd__": "add", "__rsub__": "sub", "__rmul__": "mul", "__truediv__": "div", "__rtruediv__": "div",
    "__rdiv__": "div", "__rpow__": "pow", "__rmatmul__": "matmul", "__setitem__": "setitem_",
}  # fmt: skip


def _site() -> tuple[Site, int]:
    """Where in the user's code this is, and its innermost line; nowhere where it is not the user's."""
    frame: FrameType | None = sys._getframe(2)
    found: list[tuple[str, int]] = []
    line = 0
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_PACKAGE) and file not in _BETWEEN:
            break
        if file not in _BETWEEN and not file.startswith(_TORCH):
            # each statement of a flat script has a bytecode of its own
            found.append((frame.f_code.co_name, (frame.f_lineno << 20) + frame.f_lasti))
            line = line or frame.f_lineno
        frame = frame.f_back
    return tuple(found), line


@dataclass
class Record:
    """All steps between one input and the output."""

    run: Run
    name: str
    leaves: Mapping[str, Tensor]  # the values of all inputs
    steps: dict[int, Step] = field(default_factory=dict)
    pairs: Mapping[tuple[int, int], Tensor] | None = None  # of elementwise steps, once somebody asks
    calls: list[tuple[str, tuple[Any, ...], Any, Site, int]] = field(default_factory=list)  # those without it too

    @classmethod
    def of(cls, run: Run, name: str) -> Record | None:
        """The record of a forward pass; None where it cannot be run under autograd, or is too long."""
        recorder = Recorder()
        try:
            tracked = run(recorder)
        except OverflowError:
            return None
        if tracked is None or tracked.single or name not in tracked.leaves:
            return None
        leaf = tracked.leaves[name]
        values = {name: one.detach().as_subclass(Tensor) for name, one in tracked.leaves.items()}
        record = cls(run, name, values, calls=recorder.calls)  # keeps every tensor alive, so that no id stands for two
        producers: dict[int, int | None] = {id(leaf): None}
        for index, (word, args, output, site, line) in enumerate(recorder.calls):
            tensors = list(_tensors(args))
            changed = list(_tensors(args[:1] if word.endswith("_") else (output,)))
            if any(id(t) in producers for t in tensors) and any(t.requires_grad for t in changed):
                sources = tuple(s for t in tensors if (s := producers.get(id(t))) is not None)
                direct = any(tensor is leaf for tensor in tensors)
                record.steps[index] = Step(index, word, args, sources, direct, output, site, line)
                producers |= {id(tensor): index for tensor in changed}
        record.steps = _leading_to(tracked.output, record.steps)
        return record

    @cached_property
    def dominators(self) -> dict[int, frozenset[int]]:
        """For each step those that everything between the input and it passes through."""
        found: dict[int, frozenset[int]] = {}
        for index, step in self.steps.items():
            before = [found[source] | {source} for source in step.sources]
            found[index] = frozenset.intersection(*before) if before and not step.direct else frozenset()
        return found

    @cached_property
    def consumers(self) -> dict[int, list[int]]:
        """For each step those that use its output."""
        found: dict[int, list[int]] = {index: [] for index in self.steps}
        for index, step in self.steps.items():
            for source in set(step.sources):
                found[source].append(index)
        return found

    def enters(self, step: Step) -> bool:
        """Whether one operand is the input, or a plain copy of it."""
        return step.direct or any(map(self.is_copy, step.sources))

    def is_copy(self, index: int) -> bool:
        """Whether a step does nothing but copy the input."""
        step = self.steps[index]
        return step.direct and step.name in ("clone", "requires_grad_")

    @property
    def leaf(self) -> Tensor:
        """The value of the input."""
        return self.leaves[self.name]


def _leading_to(output: Tensor, steps: dict[int, Step]) -> dict[int, Step]:
    """The steps that the output is made of."""
    ends = (
        i
        for i, s in reversed(steps.items())
        if isinstance(s.output, Tensor) and s.output.data_ptr() == output.data_ptr()
    )
    todo, seen = [next(ends, max(steps, default=0))], set[int]()
    while todo:
        index = todo.pop()
        if index not in seen and index in steps:
            seen.add(index)
            todo += steps[index].sources
    return {index: step for index, step in steps.items() if index in seen}


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)
