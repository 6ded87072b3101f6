"""What a check runs: at which sizes, with which options, and as which operation.

With `--like` the operation's own settings come first, as far as the code's forward takes them; then the person's own
sizes, and others made from them. Without it the operation is recognised by its values where that is possible.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._errors import error
from . import reference
from .inputs import Draw, Spec, draw, other_sizes, spec_of, with_ranges
from .settings import forms
from .operations import Bound, Operation, Setting, get, recognise
from .subjects import Subject, UserCodeError
from .subjects.arguments import option_of
from .subjects.calling import from_library


@dataclass(frozen=True)
class Step:
    """One draw to check, and the operation bound to it, if its output agrees."""

    draw: Draw
    bound: Bound | None = None


@dataclass
class Plan:
    """All draws of a check."""

    steps: list[Step] = field(default_factory=list)
    operation: Operation | None = None
    declared: bool = False  # whether the operation was named, and not recognised
    refused: list[tuple[str, UserCodeError]] = field(default_factory=list)  # settings that the forward does not take
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What the person asked for: own inputs or their specs, an operation, its options."""

    specs: Mapping[str, Spec] = field(default_factory=dict)
    given: Any = ()  # own tensors in the forward's order, or by name, for the first draw
    like: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    verbose: bool = False


def plan(subject: Subject, wanted: Wanted) -> Plan:
    """The draws for a subject. Raises `HandgradError` if nothing says what to run it on, `UserCodeError` if it never runs."""
    made = Plan(operation=get(wanted.like) if wanted.like else None, declared=wanted.like is not None)
    if made.operation is not None:
        _settings(subject, wanted, made.operation, made)
    values, constants = tensors_of(wanted.given, subject.adapter.inputs)
    wanted = replace(wanted, given=values, options={**constants, **wanted.options})
    specs = with_ranges(_named(wanted.specs, subject.adapter.inputs)) | {name: spec_of(value) for name, value in values.items()}
    if specs or (not subject.adapter.inputs and subject.adapter.parameters()):
        own = _own(subject, wanted, specs)
        _add(subject, made, own, wanted.options, first=not made.steps)
        for index, other in enumerate(_others(subject, own, specs)):
            _add(subject, made, Draw(draw(other, 3 + index), wanted.options, f"other sizes {index + 1}", own=False), wanted.options)
    elif made.operation is None:
        names = " ".join(f"--input {name}=2x3" for name in subject.adapter.inputs)
        raise error("check", f"nothing says what to run `{subject.name}` on",
                    hint=f"{names}, or --like conv2d, or an example_inputs() in the file")
    if not made.steps:
        raise made.refused[0][1]
    _drop_other_ranks(made)
    if made.declared and not any(step.bound for step in made.steps):  # it is another operation: two draws show that
        made.steps = sorted(made.steps, key=lambda step: sum(value.numel() for value in step.draw.inputs.values()))[:2]
    if not made.declared and any(step.bound is None for step in made.steps):  # a name is believed if all draws agree
        made.steps = [Step(step.draw) for step in made.steps]
        made.operation, made.notes = None, []
    return made


def _settings(subject: Subject, wanted: Wanted, operation: Operation, made: Plan) -> None:
    """The operation's settings, each in the first form that agrees with the real operation."""
    for setting in operation.settings():
        step = _step(subject, wanted, operation, setting, made)
        made.steps += [step] if step else []
    agreeing = [step for step in made.steps if step.bound is not None]
    if len(agreeing) == 1:  # a diagnosis needs a second draw of other sizes
        only = agreeing[0].draw
        for other in _others(subject, only, {}, count=1):
            _add(subject, made, Draw(draw(other, 3), only.options, f"{only.label}, other sizes", own=False), only.options)


def _step(subject: Subject, wanted: Wanted, operation: Operation, setting: Setting, made: Plan) -> Step | None:
    """The first form of a setting that the forward takes and that agrees; else the first that it takes."""
    taken: Step | None = None
    problem: UserCodeError | None = None
    for one in forms(subject, operation, setting, wanted.options):
        try:
            output = subject.run(one.inputs, one.options).output
        except UserCodeError as refused:
            problem = problem or refused
            continue
        one = _pruned(subject, one, output)
        bound = reference.agrees(operation, one, output, _of_operation(one.options))
        if bound is not None:
            return Step(one, bound)
        taken = taken or Step(one)
    if taken is None and problem is not None:
        made.refused.append((setting.name, problem))
    return taken


def _own(subject: Subject, wanted: Wanted, specs: Mapping[str, Spec]) -> Draw:
    """The person's own sizes, with their values where they gave them and fresh ones for a class's parameters."""
    own = Draw({**draw(specs, 1), **wanted.given, **_parameters(subject)}, wanted.options)
    return _pruned(subject, own, subject.run(own.inputs, own.options).output)


def _pruned(subject: Subject, one: Draw, output: Tensor) -> Draw:
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
    return replace(one, inputs={name: value for name, value in one.inputs.items() if name in known or not subject.adapter.inputs})


def _named(specs: Mapping[str, Spec], names: Sequence[str]) -> dict[str, Spec]:
    """The specs under the forward's own names; those under other names fill what is left, in order."""
    free = iter([name for name in names if name not in specs])
    found = {name if name in names or not names else next(free, name): spec for name, spec in specs.items()}
    if names and (extra := [name for name in found if name not in names]):
        raise error("check", f"there is no input for `{extra[0]}`", inputs=", ".join(names))
    return {name: found[name] for name in (names or found) if name in found}


def _parameters(subject: Subject, seed: int = 7) -> dict[str, Tensor]:
    """Near the values that the constructor gave, but not at them: a γ of 1 or a bias of 0 hides what forgets it."""
    own = subject.adapter.parameters()
    return {n: own[n] + 0.4 * noise for n, noise in draw({n: Spec(tuple(v.shape)) for n, v in own.items()}, seed).items()}


def _others(subject: Subject, own: Draw, known: Mapping[str, Spec], count: int = 2) -> list[dict[str, Spec]]:
    """Other sizes that the forward takes; the same ones, with other values, if it takes none."""
    parameters = subject.adapter.parameters()
    specs = {n: Spec(tuple(v.shape)) if n in parameters else known.get(n) or spec_of(v) for n, v in own.inputs.items()}

    def runs(inputs: Mapping[str, Tensor]) -> bool:
        """Forward and backward: sizes that only one of them takes show a slip less often than a limit of the code."""
        try:
            run = subject.run(inputs, own.options)
            run.backward(torch.ones_like(run.output))
        except UserCodeError:
            return False
        return run.output.numel() > 0

    if not runs(own.inputs):
        return []

    def accepts(sizes: dict[str, Spec]) -> bool:
        return runs(draw(sizes, 2))

    return other_sizes(specs, accepts, count, small=_takes_time(subject, own)) or [specs]


def _takes_time(subject: Subject, own: Draw) -> bool:
    """Whether a difference for every entry of the inputs would be felt."""
    begin = time.perf_counter()
    subject.run(own.inputs, own.options)
    return (time.perf_counter() - begin) * sum(value.numel() for value in own.inputs.values()) > 0.5


def _add(subject: Subject, made: Plan, one: Draw, fixed: Mapping[str, Any], *, first: bool = False) -> None:
    """Run the forward at a draw and put it where it belongs."""
    try:
        output = subject.run(one.inputs, one.options).output
    except UserCodeError as problem:
        if first:
            raise
        made.refused.append((one.label, problem))
        return
    if made.operation is None:
        made.operation, bound = _recognised(one, output, made)
    else:
        bound = reference.agrees(made.operation, one, output, _of_operation(fixed))
    made.steps.append(Step(one, bound))


def _recognised(one: Draw, output: Tensor, made: Plan) -> tuple[Operation | None, Bound | None]:
    found = recognise(one.inputs, output)
    if found is None:
        return None, None
    operation, options = found
    shown = ", ".join(f"{name} {value}" for name, value in options.items())
    made.notes.append(f"taken for {operation.name}" + (f" ({shown})" if shown else "") + " by its values")
    return operation, reference.agrees(operation, one, output, {})


def _of_operation(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that an operation knows, without what else the forward is called with."""
    return {name: value for name, value in options.items() if option_of(name) == name}


def tensors_of(given: Any, names: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Somebody's inputs in the forward's order, or by name, as tensors and as what is no tensor.

    Raises `HandgradError` if there are more than the forward has parameters.
    """
    if not isinstance(given, Mapping):
        items = list(given) if isinstance(given, tuple | list) else [given]
        if len(items) > len(names):
            raise error("check", f"{len(items)} inputs are given for {len(names)} parameters", parameters=", ".join(names))
        given = dict(zip(names, items, strict=False))
    given = {name: given[name] for name in (*names, *given) if name in given}  # in the forward's order
    tensors = {n: v for n, value in given.items() if isinstance(value, Tensor | np.ndarray) and (v := from_library(value)) is not None}
    return tensors, {name: value for name, value in given.items() if name not in tensors and value is not None}


def _drop_other_ranks(made: Plan) -> None:
    """Leave out settings of a rank that the code does not mean to take: it is another operation there, and right."""

    def ranks(step: Step) -> tuple[int, ...]:
        return tuple(value.ndim for value in step.draw.inputs.values())

    agreeing = {ranks(step) for step in made.steps if step.bound is not None}
    if made.declared and agreeing:
        kept = [step for step in made.steps if step.bound is not None or step.draw.own or ranks(step) in agreeing]
        made.steps = kept
