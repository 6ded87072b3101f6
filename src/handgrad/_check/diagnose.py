"""From the draws in which a gradient is wrong to its cause: the fewest slips that reproduce every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from .case import OWN, Case, relative_error
from .probes import linearity, repeatability
from .reading import read
from .report import Finding
from .slips import NO_WORD, Path, Slip
from .slips.constants import NAMELESS, averages, vagueness
from .slips.draw import Draw
from .slips.rearranged import rearranged
from .slips.search import explains, explanations, predictions, ranked
from .slips.signs import partly_negated
from .slips.unknown import UNKNOWN
from .where import describe

DEPTH = 2  # slips in one gradient; a third hides the first two


def diagnose(cases: Sequence[Case], name: str, all_cases: Sequence[Case] = ()) -> tuple[Finding, ...]:
    """Why the gradient of `inputs[name]` is wrong.

    Args:
        cases: draws in which it is wrong, of several sizes.
        name: the input whose gradient it is.
        all_cases: every draw, the right ones too: a cause that would have made those wrong is not the cause.

    Returns:
        One finding for each slip, the cause first; a single `unexplained` where no chain of slips reproduces every
        draw. Nothing where the gradient is right in all of them, or right by another convention (tied maxima).
    """
    wrong = [draw for draw in (Draw(case, name) for case in cases) if draw.wrong and not _accepted(draw)]
    if not wrong:
        return ()
    return _nothing_to_search(wrong) or _search(wrong, all_cases, name) or _unexplained(wrong)


def _accepted(draw: Draw) -> bool:
    """Whether it is right by another convention, where the function has more than one derivative."""
    return draw.bound is not None and any(draw.equal(draw.user, other) for other in draw.bound.conventions(draw))


def _nothing_to_search(wrong: list[Draw]) -> tuple[Finding, ...]:
    """What is plain before any search: nothing came back, or nothing in it."""
    name, expected = wrong[0].name, tuple(wrong[0].truth.shape)
    if any(draw.case.user.get(name) is None for draw in wrong):
        message = f"no gradient came back for `{name}`: one of shape {expected} is needed"
        return (Finding("wrong-return-count", message, evidence={"expected_shape": list(expected)}),)
    empty = next((draw for draw in wrong if not draw.user.numel() and draw.truth.numel()), None)
    if empty is not None and empty.user.dim() == len(expected):
        message = f"the crop left nothing: {tuple(empty.user.shape)} for {expected}, as `[pad:-pad]` does at padding 0"
        fix = "crop `[pad : pad + size]`"
        return (Finding("wrong-crop", message, fix=fix, evidence={"shape": list(empty.user.shape)}),)
    again = repeatability(wrong[0].case, name)
    return (again,) if again is not None else ()


def _search(wrong: list[Draw], all_cases: Sequence[Case], name: str) -> tuple[Finding, ...]:
    right = [draw for draw in (Draw(case, name) for case in all_cases) if not draw.wrong]
    wrong = sorted(wrong, key=_size)
    path = _known(wrong, right) or _new(wrong, right)
    if max(map(vagueness, path), default=0) > 1 and linearity(wrong[0].case, name):
        return ()  # another multiple in each draw, and for each grad_output: divided by its length, say
    wrong[0].case.explained.append(path)
    return tuple(_finding(slip, wrong) for slip in _worded(path, wrong))


def _known(wrong: list[Draw], right: list[Draw]) -> Path:
    """The slip in a step of the forward pass that explained another gradient, where it explains this one as well."""
    steps = [path for path in wrong[0].case.explained if len(path) == 1 and path[0].inside]
    holding = (path for path in steps if all(explains(draw, path) for draw in wrong))
    return next((path for path in holding if not any(_contradicts(path, draw) for draw in right)), ())


def _new(wrong: list[Draw], right: list[Draw]) -> Path:
    """The first chain in the order of the tables."""
    singles = ranked(wrong[0], 1)
    if not any(draw.user.any() for draw in wrong):
        return _first_holding(_leaving_zeros(wrong, singles), wrong, right)
    told = [path for path in singles if not any(slip.variant in (UNKNOWN, NAMELESS) for slip in path)]
    path = _first_holding(told, wrong, right) or _first_holding(_pairs(wrong, told), wrong, right)
    return path or _first_holding(singles, wrong, right) or _last_resort(wrong)


def _leaving_zeros(wrong: list[Draw], singles: list[Path]) -> list[Path]:
    """Of what makes zeros in every draw, as many slips do somewhere, the one that is seen in the code.

    A loop's `=` for `+=` leaves the gradient of its last turn, that of the first step, whose state is all zeros.
    """
    overwrites = read(wrong[0].case.code).overwrites
    return [path for path in singles if overwrites and path[0].cause == "overwrite-instead-of-accumulate"]


def _last_resort(wrong: list[Draw]) -> Path:
    """What is believed where nothing else explains the same numbers at other places, or with other signs."""
    for find in (rearranged, partly_negated):
        found = [find(draw) for draw in wrong]
        if found[0] is not None and all(found) and linearity(wrong[0].case, wrong[0].name) is None:
            return (found[0],)
    return ()


def _worded(path: Path, wrong: list[Draw]) -> Path:
    """The slips in the numbers of the person's own sizes, where those are among the draws."""
    own = next((draw for draw in wrong if draw.case.label == OWN), None)
    there = next(explanations(own, len(path), frozenset(path)), ()) if own is not None and path else ()
    words = {slip: slip for slip in there}  # equal slips, other messages
    return tuple(words.get(slip, slip) for slip in path)


def _first_holding(proposed: Iterable[Path], wrong: list[Draw], right: list[Draw]) -> Path:
    """The first chain that reproduces every wrong draw, and would not have made a right one wrong.

    A slip in one branch of the code leaves other draws right; then it must hold on at least two of the wrong ones. One
    that leaves part of the gradient undetermined is believed last.
    """
    second: list[Path] = []
    for path in proposed:
        if all(explains(draw, path) for draw in wrong):
            loose = any(slip.loose for slip in path)
            if not loose and not any(_contradicts(path, draw) for draw in right):
                return path
            if loose or len(wrong) > 1:
                second.append(path)
    return min(second, key=lambda path: any(slip.loose for slip in path), default=())


def _pairs(wrong: list[Draw], singles: list[Path]) -> Iterator[Path]:
    """Two slips in one draw; or one in some of the draws and another, which does not show there, in the rest.

    A factor shows in every draw, so two of them are no such pair: −1/N is two slips, and not −1/6 here and −1/7 there.
    """
    some: list[list[Path]] = []
    for draw in wrong:
        found = ranked(draw, 1) if some else singles
        only_factors = all(map(_is_factor, found))
        if not found or (only_factors and not any(all(map(_is_factor, before)) for before in some)):
            yield from ranked(draw, DEPTH)
        if not found:
            return
        some.append(found)
    rest = dict.fromkeys(path for found in some for path in found)
    pairs = ((one, other) for one in some[0] for other in rest if one != other)
    yield from ((*one, *other) for one, other in pairs if not (_is_factor(one) and _is_factor(other)))


def _is_factor(path: Path) -> bool:
    return path[0].cause == "scale-factor"


def _contradicts(path: Path, right: Draw) -> bool:
    """Whether the slips would show on a draw in which the gradient is right."""
    if any(slip.cause in ("wrong-sign", "scale-factor") for slip in path):
        return bool(right.truth.any())
    if any(slip.cause == "mean-instead-of-sum" and slip.variant in dict(averages(right)) for slip in path):
        return True
    made = predictions(right, len(path), frozenset(path))
    reached = [gradient for taken, gradient in made if len(taken) == len(path)]
    return bool(reached) and not any(right.equal(gradient, right.user) for gradient in reached)


def _unexplained(wrong: list[Draw]) -> tuple[Finding, ...]:
    """No chain of slips: at least whether it is linear, and where it is wrong."""
    shown = next((draw for draw in wrong if draw.case.label == OWN), min(wrong, key=_size))
    nonlinear = linearity(shown.case, shown.name)
    return (nonlinear, describe(shown)) if nonlinear else (describe(shown),)


def _size(draw: Draw) -> int:
    return draw.truth.numel() + draw.g.numel()


def _finding(slip: Slip, wrong: list[Draw]) -> Finding:
    if slip.cause == NO_WORD:
        shown = _unexplained(wrong)[-1]
        return replace(shown, message=f"{slip.message}; {shown.message}")
    return Finding(slip.cause, slip.message, fix=slip.fix, evidence=_evidence(wrong))


def _evidence(wrong: list[Draw]) -> dict[str, Any]:
    first = wrong[0]
    evidence: dict[str, Any] = {
        "draws": len(wrong),
        "shape": list(first.user.shape),
        "expected_shape": list(first.truth.shape),
    }
    if first.user.shape == first.truth.shape:
        evidence["relative_error"] = relative_error(first.user, first.truth)
    return evidence
