"""Gradients that are right and came back in each other's place: `return dw, dx`, or `return None, dx` for (x, mask)."""

from __future__ import annotations

from collections.abc import Sequence

from .case import same
from .cases import Judged
from .report import Finding

Found = tuple[list[Judged], list[Finding]]


def exchanged(name: str, judged: Sequence[Judged]) -> Found | None:
    """The draws and the finding, if the gradient of `name` came back in the place of another input's."""
    wrong = [one for one in judged if not one.case.is_right(name)]
    return (_with_nothing(name, wrong) or _with_another(name, wrong)) if wrong else None


def _with_nothing(name: str, wrong: list[Judged]) -> Found | None:
    """It stands in another's place, and nothing in its own."""
    places = {one.case.elsewhere(name) for one in wrong}
    if len(places) > 1 or None in places:
        return None
    message = f"the gradient of `{name}` is returned in the place of `{places.pop()}`, and nothing in its own"
    return _found(wrong, message, "return the gradients in the order of the inputs, None for what has none")


def _with_another(name: str, wrong: list[Judged]) -> Found | None:
    """It and another are returned for each other."""
    for other in wrong[0].case.inputs:
        if other != name and all(_are_exchanged(one, name, other) for one in wrong):
            message = f"what is returned for `{name}` is the gradient of `{other}`, and the reverse"
            return _found(wrong, message, f"return the gradients of `{name}` and `{other}` in the order of the inputs")
    return None


def _found(wrong: list[Judged], message: str, fix: str) -> Found:
    return wrong, [Finding("wrong-return-order", message, fix=fix, evidence={"draws": len(wrong)})]


def _are_exchanged(one: Judged, name: str, other: str) -> bool:
    right = one.case.vjp(one.case.grad_output)
    pairs = ((name, other), (other, name))
    if other in right and same(right[name], -right[other], one.case.tolerance):
        return False  # of a difference: exchanged is negated
    return other in right and all(
        (user := one.case.user.get(mine)) is not None and same(user, right[yours], one.case.tolerance)
        for mine, yours in pairs
    )
