"""What a check runs: at which sizes, with which options, and as which operation.

With `--like` the operation's own settings come first, as far as the code's forward takes them; then the person's own
sizes, and others made from them. Without it the operation is recognised by its values where that is possible.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .._errors import HandgradError, error
from . import reference
from .inputs import Draw, Spec, draw, spec_of, with_ranges
from .operations import Bound, Operation, Setting, get, recognise
from .own import named, others, own_draw, pruned, runs, small_draw, tensors_of, without_optional
from .scaling import HUGE, entries
from .settings import forms
from .subjects import Subject, UserCodeError
from .subjects.arguments import option_of
from .subjects.classes import ClassInstance
from .unused import refuse_unused_options


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
    differs: list[Step] = field(default_factory=list)  # draws at which the forward is not the declared operation
    once: Draw | None = None  # the person's own sizes, where they are too large for more than one look
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
    """The draws for a subject.

    Raises `HandgradError` if nothing says what to run it on, `UserCodeError` if it never runs.
    """
    made = Plan(operation=get(wanted.like) if wanted.like else None, declared=wanted.like is not None)
    refuse_unused_options(subject, made.operation, wanted.options)
    if made.operation is not None:
        _settings(subject, wanted, made.operation, made)
    values, constants = tensors_of(wanted.given, subject.adapter.inputs)
    given = named(wanted.specs, subject.adapter.inputs, layer=isinstance(subject.adapter, ClassInstance))
    specs = with_ranges(given) | {n: spec_of(v) for n, v in values.items()}
    if specs or (not subject.adapter.inputs and subject.adapter.parameters()):
        _own_sizes(subject, made, specs, values, {**constants, **wanted.options})
    elif made.operation is None:
        raise _nothing_given(subject)
    if not made.steps:
        raise made.refused[0][1]
    return _settled(made)


def _nothing_given(subject: Subject) -> HandgradError:
    names = " ".join(f"--input {name}=2x3" for name in subject.adapter.inputs)
    hint = f"{names}, or --like conv2d, or an example_inputs() in the file"
    return error("check", f"nothing says what to run `{subject.name}` on", hint=hint)


def _own_sizes(
    subject: Subject, made: Plan, specs: Mapping[str, Spec], values: Mapping[str, Tensor], options: Mapping[str, Any]
) -> None:
    """The person's own sizes, and others made from them."""
    small = small_draw(subject, specs, options)
    if small is None:
        one = own_draw(subject, specs, values, options)
        one = pruned(subject, one, subject.run(one.inputs, one.options).output)
        known = specs
    else:
        one, known = pruned(subject, small, subject.run(small.inputs, options).output), {}
        if (numbers := entries(specs)) <= HUGE:
            made.once = own_draw(subject, specs, values, options)
        else:
            made.notes.append(f"your sizes, {numbers:.2g} numbers, were not run: smaller ones stand for them")
    _add(subject, made, one, first=not made.steps)
    fits = _same_operation(subject, made, one) if not made.declared and made.operation else _anything
    for index, other in enumerate(others(subject, one, known, fits=fits)):
        _add(subject, made, Draw(draw(other, 3 + index), options, f"other sizes {index + 1}", own=False))


def _anything(_draw: Draw) -> bool:
    return True


def _same_operation(subject: Subject, made: Plan, own: Draw) -> Callable[[Draw], bool]:
    """Whether the forward is still the operation that it was taken for.

    A layer for 2 channels that is given 3 leaves one out: that says nothing about its gradient. But a size of 1 may
    hide what the forward does with it, a mean over the batch, so then every size is tried.
    """
    if any(1 in value.shape for value in own.inputs.values()):
        return _anything

    def same(one: Draw) -> bool:
        assert made.operation is not None
        output, fixed = subject.run(one.inputs, one.options).output, _of_operation(one.options)
        return reference.agrees(made.operation, one, output, fixed, declared=False) is not None

    return same


def _settled(made: Plan) -> Plan:
    """The plan without the draws that say nothing."""
    _drop_other_ranks(made)
    agreeing = [step for step in made.steps if step.bound is not None]
    made.differs = [step for step in made.steps if step.bound is None] if made.declared else []
    if agreeing and made.declared:
        made.steps = agreeing
    elif made.declared:  # it is another operation: two draws show that
        made.steps = sorted(made.steps, key=lambda step: sum(v.numel() for v in step.draw.inputs.values()))[:2]
    if not made.declared and len(agreeing) < len(made.steps):  # a name is believed if all draws agree
        made.steps = [Step(step.draw) for step in made.steps]
        made.operation, made.notes = None, [note for note in made.notes if not note.startswith("taken for")]
    return made


def _settings(subject: Subject, wanted: Wanted, operation: Operation, made: Plan) -> None:
    """The operation's settings, each in the first form that agrees with the real operation."""
    for setting in operation.settings():
        step = _step(subject, wanted, operation, setting, made)
        made.steps += [step] if step else []
    agreeing = [step for step in made.steps if step.bound is not None]
    if len(agreeing) == 1:  # a diagnosis needs a second draw of other sizes
        only = agreeing[0].draw
        for other in others(subject, only, {}, count=1, fits=_same_operation(subject, made, only)):
            _add(subject, made, Draw(draw(other, 3), only.options, f"{only.label}, other sizes", own=False))


def _step(subject: Subject, wanted: Wanted, operation: Operation, setting: Setting, made: Plan) -> Step | None:
    """The first form of a setting that forward and backward take and that agrees; else the first that forward takes."""
    taken: Step | None = None
    agreed: Step | None = None  # forward agrees, backward raises: a stride as two numbers where it means one
    problem: UserCodeError | None = None
    for one in forms(subject, operation, setting, wanted.options):
        try:
            output = subject.run(one.inputs, one.options).output
        except UserCodeError as refused:
            problem = problem or refused
            continue
        if subject.outputs > 1:
            raise error(
                "check",
                f"the forward of `{subject.name}` has {subject.outputs} outputs, and {operation.name} has one",
                hint="leave out --like; in an autograd.Function, ctx.mark_non_differentiable says what has no gradient",
            )
        one = without_optional(subject, pruned(subject, one, output))
        output = subject.run(one.inputs, one.options).output
        bound = reference.agrees(operation, one, output, _of_operation(one.options), declared=True)
        if bound is not None and runs(subject, one):
            return Step(one, bound)
        agreed = agreed or (Step(one, bound) if bound is not None else None)
        taken = taken or Step(one)
    taken = agreed or taken
    if taken is None and problem is not None:
        made.refused.append((setting.name, problem))
    return taken


def _add(subject: Subject, made: Plan, one: Draw, *, first: bool = False) -> None:
    """Run the forward at a draw and put it where it belongs."""
    try:
        output = subject.run(one.inputs, one.options).output
    except UserCodeError as problem:
        if first:
            raise
        made.refused.append((one.label, problem))
        return
    bound = None
    if made.operation is None and not made.steps and subject.outputs == 1 and output.numel():
        made.operation, bound = _recognised(one, output, made)
    elif made.operation is not None:
        bound = reference.agrees(made.operation, one, output, _of_operation(one.options), declared=made.declared)
    made.steps.append(Step(one, bound))


def _recognised(one: Draw, output: Tensor, made: Plan) -> tuple[Operation | None, Bound | None]:
    with warnings.catch_warnings(action="ignore"):
        found = recognise(one.inputs, output)
    if found is None:
        return None, None
    shown = ", ".join(f"{name} {value}" for name, value in found.options.items())
    made.notes.append(f"taken for {found.operation.name}" + (f" ({shown})" if shown else "") + " by its values")
    return found.operation, found


def _of_operation(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that an operation knows, without what else the forward is called with."""
    return {name: value for name, value in options.items() if option_of(name) == name}


def _drop_other_ranks(made: Plan) -> None:
    """Leave out settings of a rank that the code does not mean to take: it is another operation there, and right."""

    def ranks(step: Step) -> tuple[int, ...]:
        return tuple(value.ndim for value in step.draw.inputs.values())

    agreeing = {ranks(step) for step in made.steps if step.bound is not None}
    if made.declared and agreeing:
        kept = [step for step in made.steps if step.bound is not None or step.draw.own or ranks(step) in agreeing]
        made.steps = kept
