"""The person's own inputs, under the forward's names, and other sizes made from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._errors import error
from .inputs import Draw, Spec, draw, other_sizes, spec_of
from .scaling import LARGE, entries, shrunk
from .subjects import Subject, UserCodeError
from .subjects.arguments import signature
from .subjects.calling import from_library, is_complex
from .unused import refuse_unknown


def own_draw(
    subject: Subject, specs: Mapping[str, Spec], values: Mapping[str, Tensor], options: Mapping[str, Any]
) -> Draw:
    """The person's own sizes, with their values where they gave them and fresh ones for a class's parameters."""
    fresh = draw({name: spec for name, spec in specs.items() if name not in values}, 1)
    return Draw({**{name: (fresh | dict(values))[name] for name in specs}, **_parameters(subject)}, options)


def small_draw(subject: Subject, specs: Mapping[str, Spec], options: Mapping[str, Any]) -> Draw | None:
    """A small draw in place of a large one; None where the person's sizes are small, or the code takes no others."""
    own = subject.adapter.parameters()
    every = {**specs, **{name: Spec(tuple(value.shape)) for name, value in own.items()}}
    if entries(every) <= LARGE:
        return None
    small = Draw({}, options, "other sizes, small", own=False)
    found = shrunk(every, lambda sizes: runs(subject, replace(small, inputs=draw(sizes, 1))))
    return replace(small, inputs=draw(found, 1)) if found is not None else None


def pruned(subject: Subject, one: Draw, output: Tensor) -> Draw:
    """The draw without arrays of a class that the output does not depend on: momenta, running statistics."""
    for name in [name for name in one.inputs if name in subject.adapter.parameters()]:
        changed = {**one.inputs, name: one.inputs[name] + 1.0}
        try:
            other = subject.run(changed, one.options).output
        except UserCodeError:
            continue
        if other.shape == output.shape and torch.equal(other, output):
            subject.adapter.ignore(name)
    known = {*subject.adapter.inputs, *subject.adapter.parameters()}
    return replace(
        one, inputs={name: value for name, value in one.inputs.items() if name in known or not subject.adapter.inputs}
    )


def without_optional(subject: Subject, one: Draw) -> Draw:
    """The draw without inputs that may be None, if backward returns too few gradients with them and enough without."""
    known = signature(subject.adapter.functions[0])
    optional = {parameter.name for parameter in known if parameter.default is None}
    fewer = replace(one, inputs={name: value for name, value in one.inputs.items() if name not in optional})
    if len(fewer.inputs) < len(one.inputs) and _miscounts(subject, one) and not _miscounts(subject, fewer):
        subject.adapter.inputs = tuple(name for name in subject.adapter.inputs if name not in optional)
        return fewer
    return one


def _miscounts(subject: Subject, one: Draw) -> bool:
    try:
        run = subject.run(one.inputs, one.options)
        run.backward(torch.ones_like(run.output))
    except UserCodeError:
        return True
    return run.returned_count is not None


def named(specs: Mapping[str, Spec], names: Sequence[str], *, layer: bool = False) -> dict[str, Spec]:
    """The specs in the forward's order; the only input of a layer goes by any name, as nobody calls it by its own.

    Raises `HandgradError` if the forward has no such input.
    """
    if layer and len(specs) == len(names) == 1:
        return dict(zip(names, specs.values(), strict=True))
    refuse_unknown("input", specs, names)
    return {name: specs[name] for name in (names or specs) if name in specs}


def _parameters(subject: Subject) -> dict[str, Tensor]:
    """Near the values that the constructor gave, but not at them: a γ of 1 or a bias of 0 hides what forgets it."""
    own = subject.adapter.parameters()
    return {
        n: own[n] + 0.4 * noise for n, noise in draw({n: Spec(tuple(v.shape)) for n, v in own.items()}, seed=7).items()
    }


def others(
    subject: Subject,
    own: Draw,
    known: Mapping[str, Spec],
    count: int = 2,
    fits: Callable[[Draw], bool] = lambda _: True,
) -> list[dict[str, Spec]]:
    """Other sizes that the forward takes, and that fit; the same ones, with other values, if there are none."""
    parameters = subject.adapter.parameters()
    specs = {n: Spec(tuple(v.shape)) if n in parameters else known.get(n) or spec_of(v) for n, v in own.inputs.items()}

    if not runs(subject, own):
        return []

    def accepts(sizes: dict[str, Spec]) -> bool:
        one = replace(own, inputs=draw(sizes, 2))
        return runs(subject, one) and fits(one)

    return other_sizes(specs, accepts, count, small=_takes_time(subject, own)) or [specs]


def runs(subject: Subject, one: Draw) -> bool:
    """Forward and backward: sizes that only one of them takes show a slip less often than a limit of the code."""
    try:
        run = subject.run(one.inputs, one.options)
        run.backward(torch.ones_like(run.output))
    except UserCodeError:
        return False
    return run.output.numel() > 0


def _takes_time(subject: Subject, own: Draw) -> bool:
    """Whether a difference for every entry of the inputs would be felt."""
    begin = time.process_time()  # of this process: what a busy machine does to the clock must not choose the sizes
    subject.run(own.inputs, own.options)
    return (time.process_time() - begin) * sum(value.numel() for value in own.inputs.values()) > 0.5


def tensors_of(given: Any, names: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Somebody's inputs in the forward's order, or by name, as tensors and as what is no tensor.

    Raises `HandgradError` if there are more than the forward has parameters, or of another name.
    """
    if not isinstance(given, Mapping):
        items = list(given) if isinstance(given, tuple | list) else [given]
        if len(items) > len(names):
            raise error(
                "check", f"{len(items)} inputs are given for {len(names)} parameters", parameters=", ".join(names)
            )
        given = dict(zip(names, items, strict=False))
    refuse_unknown("input", given, names)
    given = {name: given[name] for name in (*names, *given) if name in given}  # in the forward's order
    for name in [name for name, value in given.items() if is_complex(value)]:
        raise error("check", f"the input `{name}` is complex", hint="make its real and its imaginary part two inputs")
    tensors = {
        n: v
        for n, value in given.items()
        if isinstance(value, Tensor | np.ndarray) and (v := from_library(value)) is not None
    }
    return tensors, {name: value for name, value in given.items() if name not in tensors and value is not None}
