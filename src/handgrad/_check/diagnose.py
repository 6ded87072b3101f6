"""From the draws in which a gradient is wrong to its cause: the fewest slips that reproduce every one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .case import Case, relative_error
from .report import Finding
from .slips import Path, Slip
from .slips.draw import Draw
from .slips.search import explains, explanations, predictions
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
    return _nothing_to_search(wrong) or _search(wrong, all_cases, name) or (describe(wrong),)


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
    return ()


def _search(wrong: list[Draw], all_cases: Sequence[Case], name: str) -> tuple[Finding, ...]:
    right = [draw for draw in (Draw(case, name) for case in all_cases) if not draw.wrong]
    candidates = list(_candidates(sorted(wrong, key=lambda draw: draw.truth.numel() + draw.g.numel())))
    good = [path for path in candidates if not any(_contradicts(path, draw) for draw in right)]
    # a slip in one branch of the code may well leave other draws right; a single draw proves that of none
    best = good or (candidates if len(wrong) > 1 else [])
    if not best:
        return ()
    return tuple(_finding(slip, wrong) for slip in best[0])


def _candidates(wrong: list[Draw]) -> Iterator[Path]:
    """Chains of slips that hold on every draw, of the least length that has one."""
    for depth in range(1, DEPTH + 1):
        found = False
        for path in _proposed(wrong, depth):
            if all(explains(draw, path) for draw in wrong):
                found = True
                yield path
        if found:
            return


def _proposed(wrong: list[Draw], depth: int) -> list[Path]:
    """Chains that explain one draw, or singly explain some draws each; no two with the same slips."""
    singles = [set(explanations(draw, 1)) for draw in wrong]
    if depth == 1:
        return _unique(explanations(wrong[0], 1))
    unexplained = [draw for draw, found in zip(wrong, singles, strict=True) if not found]
    if unexplained:
        return _unique(explanations(unexplained[0], depth))
    first = _unique(explanations(wrong[0], 1))
    rest = _unique(path for draw in wrong[1:] for path in explanations(draw, 1))
    return [(*one, *other) for one in first for other in rest if one != other]


def _unique(paths: Iterator[Path]) -> list[Path]:
    return list({frozenset(path): path for path in reversed(list(paths))}.values())[::-1]


def _contradicts(path: Path, right: Draw) -> bool:
    """Whether the slip would show on a draw in which the gradient is right."""
    from .slips.search import predictions

    reached = [
        gradient for taken, gradient in predictions(right, len(path), frozenset(path)) if len(taken) == len(path)
    ]
    return bool(reached) and not any(right.equal(gradient, right.user) for gradient in reached)


def _finding(slip: Slip, wrong: list[Draw]) -> Finding:
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
