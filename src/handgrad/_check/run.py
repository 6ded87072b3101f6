"""One check: run the plan's draws, compare, diagnose what is wrong, and say where it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from . import cases, truth
from .case import Case, relative_error, same
from .cases import Judged
from .diagnose import diagnose
from .inputs import Draw
from .locate import Place, line_that_is_right, place_of
from .plan import Plan, Step, Wanted, plan
from .probes import probe
from .report import Finding, Gradient, Report
from .subjects import Subject, UserCodeError
from .subjects.autograd_function import AutogradFunction
from .where import wrong_entries, wrong_map

def check_subject(subject: Subject, wanted: Wanted) -> Report:
    """The report on a subject. Raises `UserCodeError` if its code raises and `HandgradError` on a wrong request."""
    made = plan(subject, wanted)
    judged, problems = _judge(subject, made)
    if not judged:
        return _without_truth(subject, made, problems)
    found = probe_all(subject, judged)
    found += _cuts(subject, judged)
    names = [name for name in truth.differentiable(judged[0].draw) if _asked(name, judged)]
    gradients = [_gradient(subject, name, judged, found) for name in names]
    gradients = _with_general(gradients, _general(subject, made, judged) + [f for name, f in found if name is None])
    wrong = any(gradient.verdict == "wrong" for gradient in gradients)
    unsure = any(gradient.verdict == "inconclusive" for gradient in gradients) or not gradients
    return Report(
        verdict="wrong" if wrong else "inconclusive" if unsure else "correct",
        operation=made.operation.name if made.operation else None,
        gradients=tuple(gradients),
        message=None if gradients else f"`{subject.name}` returned no gradient, and left none in its attributes",
        notes=tuple(_notes(subject, made, judged, problems)),
    )


def _judge(subject: Subject, made: Plan) -> tuple[list[Judged], list[tuple[str, Exception]]]:
    """A case for every draw for which there is a truth; the rest with what stood in the way."""
    judged: list[Judged] = []
    problems: list[tuple[str, Exception]] = []
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
    crashed = [problem for _, problem in problems if isinstance(problem, UserCodeError)]
    if crashed and not any(_is_wrong(one.case) for one in judged) and (not judged or made.operation is not None):
        raise crashed[0]
    return judged, problems


def _patiently(
    subject: Subject, slow: list[Step], judged: Sequence[Judged], problems: list[tuple[str, Exception]]
) -> list[Judged]:
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


def _cases(subject: Subject, step: Step, limit: float, problems: list[tuple[str, Exception]]) -> list[Judged]:
    """The case of a draw; those beside it where it is a kink."""
    try:
        return [cases.make(subject, step.draw, step.bound, limit=limit)]
    except truth.NotDifferentiable:
        return _moved(subject, step, problems)
    except truth.NotDeterministic as problem:
        problems.append((step.draw.label, problem))
        return []


def _moved(subject: Subject, step: Step, problems: list[tuple[str, Exception]]) -> list[Judged]:
    """The case a little beside a kink, and that at the kink itself where the operation knows what is right there."""
    inputs = {
        name: value + 0.05 * torch.randn(value.shape, generator=torch.Generator().manual_seed(5), dtype=value.dtype)
        if value.is_floating_point()
        else value
        for name, value in step.draw.inputs.items()
    }
    at_tie = [cases.make(subject, step.draw, step.bound, tied=True)] if step.bound is not None else []
    try:
        return [cases.make(subject, replace(step.draw, inputs=inputs), None), *at_tie]
    except (truth.NotDifferentiable, truth.NotDeterministic, truth.TooSlow) as problem:
        problems.append((step.draw.label, problem))
        return []


def _is_wrong(case: Case) -> bool:
    return any(value is not None and not case.is_right(name) for name, value in case.user.items() if name in case.inputs)


def _asked(name: str, judged: Sequence[Judged]) -> bool:
    """Whether the code claims to compute this gradient at all."""
    return any(name in one.case.user for one in judged)


def _without_truth(subject: Subject, made: Plan, problems: list[tuple[str, Exception]]) -> Report:
    """There is nothing to compare with: the forward is random, too slow, or has a kink wherever it was looked at."""
    causes = [problem for _, problem in problems]
    message = "there is no truth to compare with"
    gradients: tuple[Gradient, ...] = ()
    if any(isinstance(problem, truth.NotDeterministic) for problem in causes):
        message = f"the forward of `{subject.name}` is not deterministic: two calls on the same inputs differ"
    elif slow := next((problem for problem in causes if isinstance(problem, truth.TooSlow)), None):
        message = f"the forward of `{subject.name}` is too slow to be differentiated: {slow}; try a smaller --input"
    elif causes:
        message = "the forward is not differentiable at the inputs: a kink or a tie"
        finding = Finding("not-differentiable-here", message)
        names = truth.differentiable(made.steps[0].draw)
        gradients = tuple(Gradient(name, "inconclusive", None, None, None, (finding,)) for name in names)
    return Report("inconclusive", made.operation.name if made.operation else None, gradients, message=message, notes=tuple(made.notes))


def probe_all(subject: Subject, judged: Sequence[Judged]) -> list[tuple[str | None, Finding]]:
    """What the probes say; they are asked at one draw, the person's own if there is one."""
    first = next((one for one in judged if one.draw.own), judged[0])
    try:
        return list(probe(first.case, subject))
    except UserCodeError:  # it ran before, so it does not run twice: that is what a second forward pass is for
        return []


def _cuts(subject: Subject, judged: Sequence[Judged]) -> list[tuple[str | None, Finding]]:
    """Inputs whose gradient autograd would get wrong; inside an autograd.Function it never looks."""
    if isinstance(subject.adapter, AutogradFunction):
        return []
    names = dict.fromkeys(name for one in judged for name in one.cut)
    message = "autograd does not see all of the forward pass with respect to `{}`: a `.detach()` or `no_grad` hides it"
    return [(name, Finding("autograd-cut", message.format(name))) for name in names]


def _gradient(subject: Subject, name: str, judged: Sequence[Judged], probed: Sequence[tuple[str | None, Finding]]) -> Gradient:
    """The verdict on one gradient over all draws."""
    wrong, findings = _diagnosed(name, judged)
    side = [finding for about, finding in probed if about == name]
    if side and side[0].cause == "autograd-cut" and wrong and all(_is_partial(one, name) for one in wrong):
        findings = []  # it is what autograd makes of the part that it sees
    example = next((one for one in wrong if one.draw.own), (wrong or judged)[0])
    shown = example.case
    user, expected = shown.user.get(name), shown.truth(name)
    same_shape = user is not None and user.shape == expected.shape
    base = Gradient(
        name=name,
        verdict="wrong" if findings or side else "correct",
        shape=None if user is None else tuple(user.shape),
        expected_shape=tuple(expected.shape),
        relative_error=relative_error(user, expected) if user is not None and same_shape else None,
    )
    if not findings:
        return replace(base, findings=tuple(side))
    place = place_of(subject, name, example.draw, shown, findings[0].cause)
    fix = line_that_is_right(subject, name, [one.draw for one in wrong or judged], judged) or findings[0].fix
    return replace(
        base,
        findings=tuple(_placed([*findings, *side], place, fix)),
        fix=fix,
        note=_right_for_own(name, judged, wrong),
        map=wrong_map(wrong_entries(user, expected, shown.tolerance)) if user is not None and same_shape and user.ndim else None,
    )


def _diagnosed(name: str, judged: Sequence[Judged]) -> tuple[list[Judged], list[Finding]]:
    """The draws in which a gradient is wrong, and why; what is wrong at ties only must be wrong about the ties."""
    wrong = [one for one in judged if not one.case.is_right(name)]
    plain = [one for one in wrong if not one.tied]
    looked_at = plain or wrong
    everything = [one.case for one in judged if not one.tied or not plain]
    findings = list(diagnose([one.case for one in looked_at], name, everything)) if looked_at else []
    if not plain and not any(finding.cause == "ties-counted-twice" for finding in findings):
        return [], []
    return looked_at, findings


def _is_partial(one: Judged, name: str) -> bool:
    """Whether what came back is autograd's own, partial gradient."""
    user = one.case.user.get(name)
    return one.partial is not None and user is not None and same(user, one.partial[name], one.case.tolerance)


def _placed(findings: Sequence[Finding], place: Place | None, fix: str | None) -> Iterator[Finding]:
    for index, finding in enumerate(findings):
        evidence: dict[str, Any] = dict(finding.evidence)
        if place is not None:
            evidence |= {"expression": place.expression, "operands": place.operands}
        location = finding.location or (place.location if place else None)
        yield replace(finding, location=location, fix=fix if index == 0 else finding.fix, evidence=evidence)


def _right_for_own(name: str, judged: Sequence[Judged], wrong: Sequence[Judged]) -> str | None:
    """"Right for your sizes, wrong when the batch is larger than 1": what the wrong draws have that the own has not."""
    own = [one for one in judged if one.draw.own]
    if not own or any(one.draw.own for one in wrong):
        return None
    return f"right for your sizes, wrong {_difference(own[0].draw, wrong[0].draw)}"


def _difference(own: Draw, other: Draw) -> str:
    first = next(iter(own.inputs))
    if own.inputs[first].ndim and own.inputs[first].shape[0] == 1 < other.inputs[first].shape[0]:
        return "when the batch is larger than 1"
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in other.inputs.items())
    return f"for {shapes}"


def _general(subject: Subject, made: Plan, judged: Sequence[Judged]) -> list[Finding]:
    """What is wrong with the whole: the forward is another operation, or the number of gradients is wrong."""
    found = []
    differing = [step for step in made.steps if step.bound is None]
    if made.operation is not None and differing and made.declared:
        found.append(_forward_differs(subject, made, differing[0].draw))
    count = judged[0].case.returned_count
    if count is not None:
        needed = len(truth.differentiable(judged[0].draw))
        message = f"backward returns {count} gradient{'s' if count != 1 else ''} for {needed} inputs"
        if needed == count:
            message = f"backward returns {count} values: one is needed for every argument of forward, None where there is no gradient"
        found.append(Finding("wrong-return-count", message, evidence={"returned": count, "needed": needed}))
    return found


def _forward_differs(subject: Subject, made: Plan, draw: Draw) -> Finding:
    assert made.operation is not None
    output = subject.run(draw.inputs, draw.options).output
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in draw.inputs.items())
    options = ", ".join(f"{name} {value}" for name, value in draw.options.items())
    message = f"the forward is not {made.operation.name}" + (f" with {options}" if options else "") + f" on {shapes}"
    return Finding("forward-differs", message, evidence={"output_shape": list(output.shape), "draw": draw.label})


def _with_general(gradients: list[Gradient], general: Sequence[Finding]) -> list[Gradient]:
    """Findings about the whole stand on the first gradient that is wrong without them, or on the first."""
    if not general or not gradients:
        return gradients
    index = next((i for i, gradient in enumerate(gradients) if gradient.verdict == "wrong"), 0)
    known = {finding.cause for finding in gradients[index].findings}
    new = tuple(finding for finding in general if finding.cause not in known)
    chosen = gradients[index]
    changed = replace(chosen, verdict="wrong", findings=new + chosen.findings)
    return [*gradients[:index], changed, *gradients[index + 1 :]]


def _notes(subject: Subject, made: Plan, judged: Sequence[Judged], problems: Sequence[tuple[str, Exception]]) -> Iterator[str]:
    yield from made.notes
    yield f"{subject.library} code, {len(judged)} draws: " + ", ".join(dict.fromkeys(one.draw.label for one in judged))
    if any(one.source == "differences" for one in judged):
        yield "the truth is central differences of the forward pass"
    if any(one.source == "directions" for one in judged):
        yield "the forward is slow, so that its gradient was compared along three random directions only"
    for label, problem in problems:
        yield f"left out {label}: {problem or type(problem).__name__}"
    for label, refused in made.refused:
        yield f"the forward does not take {label}: {refused}"
