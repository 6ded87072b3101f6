"""A second look at sizes for which a backward pass is at least meant.

A backward with `padding=1` written into it is wrong for every kernel but that of 3, and in another way than with the
person's kernel: no one slip explains both. Where its shape is right, one may.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch

from . import cases, reference, truth
from .cases import Judged
from .diagnose import diagnose
from .inputs import Draw, draw
from .own import others
from .report import Finding
from .subjects import Subject, UserCodeError


def second_look(subject: Subject, name: str, wrong: Sequence[Judged]) -> tuple[list[Judged], list[Finding]] | None:
    """The draws in which the gradient has its input's shape, further ones of that kind, and what explains them all."""
    shaped = [one for one in wrong if _is_shaped(one, name)]
    if not shaped or len(shaped) == len(wrong):
        return None
    base = shaped[0]

    def fits(one: Draw) -> bool:
        with suppress(UserCodeError):
            run = subject.run(one.inputs, one.options)
            value = run.backward(torch.ones_like(run.output)).get(name)
            return value is not None and value.shape == one.inputs[name].shape
        return False

    found = list(shaped)
    for index, specs in enumerate(others(subject, base.draw, {}, fits=fits)):
        found += _made(subject, base, Draw(draw(specs, 31 + index), base.draw.options, "other sizes again", own=False))
    findings = list(diagnose([one.case for one in found], name)) if len(found) > 1 else []
    return (found, findings) if findings and findings[0].cause != "unexplained" else None


def _is_shaped(one: Judged, name: str) -> bool:
    user = one.case.user.get(name)
    return user is not None and user.shape == one.case.inputs[name].shape


def _made(subject: Subject, base: Judged, one: Draw) -> list[Judged]:
    """The case of a draw, as the same operation as another."""
    output, known = subject.run(one.inputs, one.options).output, base.case.bound
    bound = reference.agrees(known.operation, one, output, {}, declared=False) if known is not None else None
    with suppress(UserCodeError, truth.NotDifferentiable, truth.NotDeterministic, truth.TooSlow):
        return [cases.make(subject, one, bound)]
    return []
