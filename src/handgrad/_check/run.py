"""One check: run the plan's draws, compare, diagnose what is wrong, and put it all into a report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial

from .._errors import HandgradError
from . import truth
from .accidents import without_accidents
from .cases import Judged
from .example import plain_example
from .inputs import Draw
from .judge import Problems, by_output, judge
from .notes import notes
from .nothing import nothing
from .plan import Plan, Wanted, plan
from .probes import probe
from .report import Finding, Gradient, Report, Verdict
from .subjects import Subject, UserCodeError
from .subjects.autograd_function import AutogradFunction
from .subjects.classes import ClassInstance
from .subjects.refused import is_refusal
from .verdict import About, verdict_on


def check_subject(subject: Subject, wanted: Wanted) -> Report:
    """The report on a subject. Raises `UserCodeError` if its code raises and `HandgradError` on a wrong request."""
    made = plan(subject, wanted)
    judged, problems = judge(subject, made)
    if not judged:
        return _without_truth(subject, made, problems)
    close, left_out = without_accidents(subject, [one for one in judged if not one.quick])
    judged = [*close, *(one for one in judged if one.quick)]
    about = [*_probed(subject, close), *_cuts(subject, close)]
    names = [name for name in truth.differentiable(judged[0].draw) if any(name in one.case.user for one in judged)]
    absent, parts = nothing(subject, names, judged), cache(partial(by_output, subject, close))
    gradients = [
        absent.gradients.get(name) or verdict_on(subject, name, judged, parts, about, verbose=wanted.verbose)
        for name in names
        if name not in absent.constants
    ]
    general, later = _general(subject, made, judged)
    gradients = _with_general(gradients, general, [*later, *(finding for name, finding in about if name is None)])
    verdict = _worst(gradients)
    if verdict == "correct" and any(isinstance(problem, truth.Unconfirmed) for _, problem in problems):
        verdict = "inconclusive"
    return Report(
        verdict=verdict,
        operation=made.operation.name if made.operation else None,
        gradients=tuple(gradients),
        message=_message(subject, gradients) if verdict == "inconclusive" else None,
        notes=(*notes(subject, made, judged, problems), *left_out, *absent.notes),
        example=plain_example(subject, judged) if verdict == "wrong" else None,
    )


def explained(problem: UserCodeError, subject: Subject, wanted: Wanted) -> tuple[Gradient, ...]:
    """What is wrong with a `.grad` that PyTorch refuses to take, which is added to the exception as a note as well."""
    if not isinstance(subject.adapter, ClassInstance) or not is_refusal(problem.original):
        return ()
    subject.adapter.loose = True
    with suppress(UserCodeError, HandgradError):
        gradients = check_subject(subject, wanted).gradients
        for gradient in gradients:
            for finding in gradient.findings:
                problem.original.add_note(f"handgrad: `{gradient.name}`: {finding.cause}: {finding.message}")
        return gradients
    return ()


def _worst(gradients: Sequence[Gradient]) -> Verdict:
    verdicts = {gradient.verdict for gradient in gradients}
    if "wrong" in verdicts:
        return "wrong"
    return "inconclusive" if "inconclusive" in verdicts or not verdicts else "correct"


def _message(subject: Subject, gradients: Sequence[Gradient]) -> str:
    unclear = [gradient for gradient in gradients if gradient.verdict == "inconclusive"]
    if not unclear:
        if gradients:
            return "right at small sizes; at yours it does not agree with a difference along a random direction"
        return f"`{subject.name}` returned no gradient, and left none in its attributes"
    return f"nothing can be said of `{unclear[0].name}`: {unclear[0].note}"


def _without_truth(subject: Subject, made: Plan, problems: Problems) -> Report:
    """There is nothing to compare with: the forward is random, too slow, or has a kink wherever it was looked at."""
    causes = [problem for _, problem in problems]
    message = "there is no truth to compare with"
    gradients: tuple[Gradient, ...] = ()
    if any(isinstance(problem, truth.NotDeterministic) for problem in causes):
        message = f"the forward of `{subject.name}` is not deterministic: two calls on the same inputs differ"
    elif slow := next((problem for problem in causes if isinstance(problem, truth.TooSlow)), None):
        message = f"the forward of `{subject.name}` is too slow to be differentiated: {slow}; try a smaller --input"
    elif causes:
        draw = made.steps[0].draw
        message = "the forward is not differentiable at the inputs: a kink or a tie"
        if not subject.run(draw.inputs, draw.options).output.isfinite().all():
            message = (
                f"the forward gives NaN or infinity at the inputs; try --input {next(iter(draw.inputs))}=…:positive"
            )
        finding = Finding("not-differentiable-here", message)
        names = truth.differentiable(draw)
        gradients = tuple(Gradient(name, "inconclusive", None, None, None, (finding,)) for name in names)
    return Report(
        "inconclusive",
        made.operation.name if made.operation else None,
        gradients,
        message=message,
        notes=tuple(made.notes),
    )


def _probed(subject: Subject, judged: Sequence[Judged]) -> list[About]:
    """What the probes say; they are asked at one draw, the person's own if there is one."""
    first = next((one for one in judged if one.draw.own), judged[0])
    try:
        return list(probe(first.case, subject))
    except UserCodeError:  # it ran before, so it does not run twice: that is what a second forward pass is for
        return []


def _cuts(subject: Subject, judged: Sequence[Judged]) -> list[About]:
    """Inputs whose gradient autograd would get wrong; inside an autograd.Function it never looks."""
    if isinstance(subject.adapter, AutogradFunction):
        return []
    names = dict.fromkeys(name for one in judged for name in one.cut)
    message = "autograd does not see all of the forward pass with respect to `{}`: a `.detach()` or `no_grad` hides it"
    return [(name, Finding("autograd-cut", message.format(name))) for name in names]


def _general(subject: Subject, made: Plan, judged: Sequence[Judged]) -> tuple[list[Finding], list[Finding]]:
    """What is wrong with the whole, before and after the cause.

    The number of gradients; and that the forward is another operation: always, or at some of the settings.
    """
    found = []
    differs = [_forward_differs(subject, made, made.differs[0].draw)] if made.differs else []
    always = all(one.case.bound is None for one in judged)
    count = judged[0].case.returned_count
    if count is not None:
        needed = len(truth.differentiable(judged[0].draw))
        message = f"backward returns {count} gradient{'s' if count != 1 else ''} for {needed} inputs"
        if needed == count:
            message = (
                f"backward returns {count} values: every argument of forward needs one, None if it has no gradient"
            )
        found.append(Finding("wrong-return-count", message, evidence={"returned": count, "needed": needed}))
    return (differs + found, []) if always else (found, differs)


def _forward_differs(subject: Subject, made: Plan, draw: Draw) -> Finding:
    assert made.operation is not None
    output = subject.run(draw.inputs, draw.options).output
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in draw.inputs.items())
    options = ", ".join(f"{name} {value}" for name, value in draw.options.items())
    message = f"the forward is not {made.operation.name}" + (f" with {options}" if options else "") + f" on {shapes}"
    return Finding("forward-differs", message, evidence={"output_shape": list(output.shape), "draw": draw.label})


def _with_general(gradients: list[Gradient], general: Sequence[Finding], probed: Sequence[Finding]) -> list[Gradient]:
    """Findings about the whole stand on the first gradient that is wrong without them, or on the first.

    What comes after the cause, as probes do, comes before it only where it is not known.
    """
    if not gradients or not (general or probed):
        return gradients
    index = next((i for i, gradient in enumerate(gradients) if gradient.verdict == "wrong"), 0)
    own = gradients[index].findings
    new = [finding for finding in general if finding.cause not in {known.cause for known in own}]
    explained = bool(own) and own[0].cause != "unexplained"
    findings = (*new, *own, *probed) if explained else (*new, *probed, *own)
    changed = replace(gradients[index], verdict="wrong", findings=findings)
    return [*gradients[:index], changed, *gradients[index + 1 :]]
