"""A second look at sizes for which a backward pass is at least meant.

A backward with `padding=1` or `range(3)` written into it is wrong for every kernel but that of 3, one with
`view(2, -1)` for every batch but 2, and in another way than at the person's sizes: no one slip explains both. Where its
shape is right, or what it was written for stays, one may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import torch

from . import cases, reference, truth
from .cases import Judged
from .diagnose import diagnose
from .inputs import Draw, draw
from .own import others
from .report import Finding
from .subjects import Subject, UserCodeError


def second_look(subject: Subject, name: str, wrong: Sequence[Judged]) -> tuple[list[Judged], list[Finding]] | None:
    """Draws that one cause explains, further ones of that kind among them."""
    shaped = [one for one in wrong if _is_shaped(one, name)]
    found = None
    if 0 < len(shaped) < len(wrong):
        found = _explained(subject, name, shaped, partial(_comes_back_shaped, subject, name))
    own = next((one for one in wrong if one.draw.own), None)
    for kept in (_window, _all_but_image, _all_but_batch) if own is not None and len(wrong) > 1 else ():
        if found is None and own is not None:
            alike = [one for one in wrong if kept(one.draw) == kept(own.draw)]
            if len(alike) < len(wrong):
                found = _explained(subject, name, alike, partial(_is_alike, kept, own.draw))
    return found


def _is_alike(kept: Callable[[Draw], object], own: Draw, one: Draw) -> bool:
    return kept(one) == kept(own)


def _explained(
    subject: Subject, name: str, some: list[Judged], fits: Callable[[Draw], bool]
) -> tuple[list[Judged], list[Finding]] | None:
    """These draws and others that fit, if there is a cause for all of them."""
    found, base = list(some), some[0]
    for index, specs in enumerate(others(subject, base.draw, {}, fits=fits)):
        found += _made(subject, base, Draw(draw(specs, 31 + index), base.draw.options, "other sizes again", own=False))
    found = [one for one in found if not one.case.is_right(name)]
    findings = list(diagnose([one.case for one in found], name)) if len(found) > 1 else []
    return (found, findings) if findings and findings[0].cause != "unexplained" else None


def _comes_back_shaped(subject: Subject, name: str, one: Draw) -> bool:
    with suppress(UserCodeError):
        run = subject.run(one.inputs, one.options)
        value = run.backward(torch.ones_like(run.output)).get(name)
        return value is not None and value.shape == one.inputs[name].shape
    return False


def _all_but_batch(one: Draw) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape[1:]) for name, value in one.inputs.items()}


def _all_but_image(one: Draw) -> dict[str, tuple[int, ...]]:
    first = next(iter(one.inputs))
    return {name: tuple(value.shape[:2] if name == first else value.shape) for name, value in one.inputs.items()}


def _window(one: Draw) -> dict[str, tuple[int, ...]]:
    """The kernels: what stands behind the first two axes of all but the first input."""
    return {name: tuple(value.shape[2:]) for name, value in list(one.inputs.items())[1:] if value.dim() > 2}


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
