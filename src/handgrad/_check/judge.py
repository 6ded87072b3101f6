"""Every draw of a plan as a case, as far as there is a truth to compare with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import torch

from . import cases, truth
from .case import Case
from .cases import Judged
from .inputs import Draw, draw
from .kinks import at_kink
from .own import others
from .plan import Plan, Step
from .scaling import growth
from .subjects import Subject, UserCodeError

Problems = list[tuple[str, Exception]]  # draws that have no case, by their labels, and why


def judge(subject: Subject, made: Plan) -> tuple[list[Judged], Problems]:
    """A case for every draw for which there is a truth; the rest with what stood in the way.

    Raises `UserCodeError` if the code raises on the person's own sizes, or wherever there is nothing else to report.
    """
    judged: list[Judged] = []
    problems: Problems = []
    slow: list[Step] = []
    for step in made.steps:
        try:
            judged += _cases(subject, step, truth.SECONDS, problems)
        except truth.TooSlow:
            slow.append(step)
        except UserCodeError as problem:
            if step.draw.own and step is made.steps[0]:
                raise
            problems.append((step.draw.label, problem))
    judged += _patiently(subject, slow, judged, problems)
    if made.once is not None and judged:
        judged += _once(subject, made.once, judged[0], problems)
    crashed = [problem for _, problem in problems if isinstance(problem, UserCodeError)]
    if crashed and not any(_is_wrong(one.case) for one in judged) and (not judged or made.operation is not None):
        raise crashed[0]
    if crashed and len(judged) == 1:
        judged += _once_more(subject, judged[0].draw)
    return judged, problems


def _once_more(subject: Subject, one: Draw) -> list[Judged]:
    """A second case, of other sizes if possible, where the code raises at all but one, which alone proves no cause."""
    found: list[Judged] = []
    for specs in others(subject, one, {}, count=1):
        with suppress(UserCodeError, truth.NotDifferentiable, truth.NotDeterministic, truth.TooSlow):
            again = Draw(draw(specs, 3), one.options, f"{one.label} again", own=False)
            found.append(cases.make(subject, again))
    return found


def _once(subject: Subject, own: Draw, known: Judged, problems: Problems) -> list[Judged]:
    """The person's own sizes, too large to be looked at closely: against the truth of the kind that small ones had."""
    parameters = subject.adapter.parameters()
    left = {n: v for n, v in own.inputs.items() if n in subject.adapter.inputs or n in parameters}
    one = replace(own, inputs=left if subject.adapter.inputs else own.inputs)
    # the least of five: what a busy machine does to the clock must not choose
    seconds = min(_seconds(subject, known) for _ in range(5)) * growth(known.draw.inputs, one.inputs)
    if seconds > truth.PATIENCE:
        problems.append((own.label, truth.TooSlow(f"they would take about {seconds:.0f} s")))
        return []
    try:
        return [cases.once(subject, one, known)]
    except truth.Unconfirmed as problem:
        problems.append((own.label, problem))
        return []


_OVERHEAD = 3e-3  # seconds that a forward and a backward take whatever their sizes


def _seconds(subject: Subject, known: Judged) -> float:
    """What both passes take at a small draw, beyond what any take."""
    begin = time.perf_counter()
    subject.run(known.draw.inputs, known.draw.options).backward(known.case.grad_output)
    return max(0.0, time.perf_counter() - begin - _OVERHEAD)


def _patiently(subject: Subject, slow: list[Step], judged: Sequence[Judged], problems: Problems) -> list[Judged]:
    """The draws that take long, as many as a diagnosis needs beside the others."""
    found: list[Judged] = []
    for step in slow:
        try:
            if len(judged) + len(found) < 2:
                found += _cases(subject, step, truth.PATIENCE, problems)
            else:
                problems.append((step.draw.label, truth.TooSlow("its differences take too long")))
        except truth.TooSlow as problem:
            problems.append((step.draw.label, problem))
    return found


def _cases(subject: Subject, step: Step, limit: float, problems: Problems) -> list[Judged]:
    """The case of a draw; those beside it where it is a kink."""
    try:
        return [cases.make(subject, step.draw, step.bound, limit=limit)]
    except truth.NotDifferentiable:
        return _moved(subject, step, problems)
    except truth.NotDeterministic as problem:
        problems.append((step.draw.label, problem))
        return []


def _moved(subject: Subject, step: Step, problems: Problems) -> list[Judged]:
    """The case a little beside a kink, and that at the kink itself where the operation knows what is right there."""
    inputs = {
        name: value + 0.05 * torch.randn(value.shape, generator=torch.Generator().manual_seed(5), dtype=value.dtype)
        if value.is_floating_point()
        else value
        for name, value in step.draw.inputs.items()
    }
    at_tie = [cases.make(subject, step.draw, step.bound, tied=True)] if step.bound is not None else []
    beside = replace(step.draw, inputs=inputs, label=f"{step.draw.label} moved off a kink")
    try:
        made = cases.make(subject, beside)
        grad = cases.random_grad(made.case.output, step.draw.label)
        found = at_kink(subject, step.draw, grad) if step.bound is None and subject.outputs == 1 else {}
        return [replace(made, at_kink=found), *at_tie]
    except (truth.NotDifferentiable, truth.NotDeterministic, truth.TooSlow) as problem:
        problems.append((step.draw.label, problem))
        return []


def _is_wrong(case: Case) -> bool:
    return any(
        value is not None and not case.is_right(name) for name, value in case.user.items() if name in case.inputs
    )


def by_output(subject: Subject, judged: Sequence[Judged]) -> list[list[Judged]]:
    """The same draws with one output at a time, the others handed zeros; none where there is one output."""
    found: list[list[Judged]] = [[] for _ in range(subject.outputs if subject.outputs > 1 else 0)]
    for index, part in enumerate(found):
        for one in judged:
            with suppress(UserCodeError, truth.NotDifferentiable, truth.TooSlow):
                part.append(cases.make(subject.of_output(index), one.draw))
    return found
