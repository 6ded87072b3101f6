"""The verdict on one gradient over all draws: right or wrong, why, where, and the line that is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from .case import relative_error, same
from .cases import Judged
from .diagnose import diagnose
from .exchanged import exchanged
from .findings import RIGHT_FOR_YOURS, all_fixes
from .inputs import Draw
from .locate import Place, line_that_is_right, place_of
from .report import Finding, Gradient
from .second_look import second_look
from .slips import draw as diagnosis
from .subjects import Subject
from .where import describe, wrong_entries, wrong_map

About = tuple[str | None, Finding]  # a probe's finding, and the gradient it is about; None for the code as a whole
Parts = Callable[[], Sequence[Sequence[Judged]]]  # the draws for each output of several; asked only if one is wrong


def verdict_on(
    subject: Subject, name: str, judged: Sequence[Judged], parts: Parts, probed: Sequence[About], *, verbose: bool
) -> Gradient:
    """The verdict on the gradient of `name`; `parts` are the same draws with one output of several only."""
    every, judged = judged, [one for one in judged if not one.quick]
    wrong, findings = exchanged(name, judged) or _by_output(name, judged, parts) or _diagnosed(name, judged)
    if [finding.cause for finding in findings] == ["unexplained"]:
        wrong, findings = second_look(subject, name, wrong) or (wrong, findings)
    side = [finding for about, finding in probed if about == name]
    if side and side[0].cause == "autograd-cut" and wrong and all(_is_partial(one, name) for one in wrong):
        findings = []  # it is what autograd makes of the part that it sees
    example = _shown(name, wrong) if wrong else judged[0]
    base = replace(_compared(name, example), verdict="wrong" if findings or side else "correct")
    if not findings and not side:
        return _at_kink(name, judged) or _at_large(name, every) or _unless_empty(base, name, judged)
    if not findings:
        return replace(base, findings=tuple(side))
    place = place_of(subject, name, example.draw, example.case, findings[0].cause)
    line = line_that_is_right(subject, name, [one.draw for one in wrong or judged], judged)
    arrays = _arrays(name, example) if verbose else {}
    return replace(
        base,
        findings=tuple(_placed([*findings, *side], place, line, arrays)),
        fix=line or all_fixes(findings),
        note=_right_for_own(name, every, wrong),
        map=_map(name, example),
    )


def _by_output(name: str, judged: Sequence[Judged], parts: Parts) -> tuple[list[Judged], list[Finding]] | None:
    """What is wrong where there are several outputs: with which of them, each looked at alone."""
    wrong = [one for one in judged if not one.case.is_right(name)]
    each = [_diagnosed(name, part)[1] for part in parts()] if wrong and wrong[0].case.user.get(name) is not None else []
    if not each:
        return None
    if not any(each):
        message = f"it is right for each of the {len(each)} outputs alone, and wrong for all of them together"
        return wrong, [Finding("not-linear-in-grad-output", message, evidence={"draws": len(wrong)})]
    if all([f.cause for f in found] == [f.cause for f in each[0]] for found in each):
        return wrong, each[0]
    return wrong, [
        replace(
            finding, message=f"of output {index}: {finding.message}", evidence={**finding.evidence, "output": index}
        )
        for index, found in enumerate(each, 1)
        for finding in found
    ]


def _at_kink(name: str, judged: Sequence[Judged]) -> Gradient | None:
    """Wrong at the kink itself, though right beside it."""
    for one in judged:
        finding = one.at_kink.get(name)
        if finding is not None and finding.cause == "not-differentiable-here":
            return replace(_compared(name, one), note=finding.message)
        if finding is not None:
            return replace(_compared(name, one), verdict="wrong", relative_error=None, findings=(finding,))
    return None


def _at_large(name: str, judged: Sequence[Judged]) -> Gradient | None:
    """Wrong at the person's own, large sizes, though right at small ones: there nothing is searched."""
    for one in judged:
        if one.quick and not one.case.is_right(name) and not _is_close(one, name):
            findings = (describe(diagnosis.Draw(one.case, name)),)
            note = "right at small sizes, wrong at yours"
            return replace(_compared(name, one), verdict="wrong", findings=findings, note=note, map=_map(name, one))
    return None


def _unless_empty(gradient: Gradient, name: str, judged: Sequence[Judged]) -> Gradient:
    """A gradient without entries, or of an output without any, is right in no sense that means something."""
    if any(one.case.output.numel() and one.case.inputs[name].numel() for one in judged):
        return gradient
    return replace(gradient, verdict="inconclusive", note="it has no entries, or the output has none")


def _shown(name: str, wrong: Sequence[Judged]) -> Judged:
    """The draw that is shown, the one whose numbers the messages quote: the person's own, or the smallest."""
    own = next((one for one in wrong if one.draw.own), None)
    return own or min(wrong, key=lambda one: one.case.truth(name).numel() + one.case.grad_output.numel())


def _compared(name: str, example: Judged) -> Gradient:
    """Shapes and error at one draw."""
    user, expected = example.case.user.get(name), example.case.truth(name)
    return Gradient(
        name=name,
        verdict="correct",
        shape=None if user is None else tuple(user.shape),
        expected_shape=tuple(expected.shape),
        relative_error=relative_error(user, expected) if user is not None and user.shape == expected.shape else None,
    )


def _map(name: str, example: Judged) -> str | None:
    user, expected = example.case.user.get(name), example.case.truth(name)
    if user is None or user.shape != expected.shape or not user.ndim:
        return None
    return wrong_map(wrong_entries(user, expected, example.case.tolerance))


def _arrays(name: str, example: Judged) -> dict[str, Any]:
    """What `--verbose` shows."""
    user = example.case.user.get(name)
    shown = {"true_values": example.case.truth(name).tolist()}
    return shown if user is None else {"user_values": user.tolist(), **shown}


def _diagnosed(name: str, judged: Sequence[Judged]) -> tuple[list[Judged], list[Finding]]:
    """The draws in which a gradient is wrong, and why; what is wrong at ties only must be wrong about the ties."""
    wrong = [one for one in judged if not one.case.is_right(name)]
    plain = [one for one in wrong if not one.tied]
    looked_at = plain or wrong
    everything = [one.case for one in judged if not one.tied or not plain]
    findings = list(diagnose([one.case for one in looked_at], name, everything)) if looked_at else []
    if not plain and not any(finding.cause == "ties-counted-twice" for finding in findings):
        return [], []
    if findings and findings[0].cause == "unexplained" and all(_is_close(one, name) for one in looked_at):
        return [], []
    return looked_at, _own_first(name, looked_at, findings)


def _own_first(name: str, wrong: Sequence[Judged], findings: list[Finding]) -> list[Finding]:
    """Of several slips those that show at the person's own sizes first, then what only other sizes bring out."""
    own = [one.case for one in wrong if one.draw.own]
    if len(findings) < 2 or not own or len(own) == len(wrong):
        return findings
    shown = [finding.cause for finding in diagnose(own, name, own)]
    return sorted(findings, key=lambda finding: finding.cause not in shown)


# An ε in the forward's logarithm or square root that backward leaves out, as it may.
_EPSILON = 1e-4


def _is_close(one: Judged, name: str) -> bool:
    """Whether a gradient is off by no more than such an ε makes it."""
    user, right = one.case.user.get(name), one.case.truth(name)
    return user is not None and user.shape == right.shape and relative_error(user, right) < _EPSILON


def _is_partial(one: Judged, name: str) -> bool:
    """Whether what came back is autograd's own, partial gradient."""
    user = one.case.user.get(name)
    return one.partial is not None and user is not None and same(user, one.partial[name], one.case.tolerance)


def _placed(
    findings: Sequence[Finding], place: Place | None, line: str | None, arrays: dict[str, Any]
) -> Iterator[Finding]:
    """The findings with the place; the first one, which is the cause, with the line as well."""
    for index, finding in enumerate(findings):
        evidence: dict[str, Any] = {**finding.evidence, **(arrays if index == 0 else {})}
        if place is not None:
            evidence |= {"expression": place.expression, "operands": place.operands, "axes": place.axes}
        location = finding.location or (place.location if place else None)
        fix = line if line and index == 0 else finding.fix
        yield replace(finding, location=location, fix=fix, evidence=evidence)


def _right_for_own(name: str, judged: Sequence[Judged], wrong: Sequence[Judged]) -> str | None:
    """What the wrong draws have that the person's own has not: "a batch larger than 1"."""
    own = [one for one in judged if one.draw.own]
    if not own or any(one.draw.own for one in wrong) or not all(one.case.is_right(name) for one in own):
        return None
    return f"{RIGHT_FOR_YOURS}, wrong {_difference(own[0].draw, wrong[0].draw)}"


def _difference(own: Draw, other: Draw) -> str:
    first = next(iter(own.inputs))
    if own.inputs[first].ndim and own.inputs[first].shape[0] == 1 < other.inputs[first].shape[0]:
        return "when the batch is larger than 1"
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in other.inputs.items())
    return f"for {shapes}"
