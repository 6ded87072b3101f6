"""Claims at other sizes, and other numbers: what a repair must hold at beside the posted script."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence

from ..._errors import HandgradError
from ..subjects.calling import UserCodeError
from .literals import Change, Literal, literals_of
from .program import copied, running
from .repair import attempt
from .sizes import Sizes
from .world import Claim, World, world

_CHOICES = 24  # of the sizes that stand in the gradient itself
_KEPT = 4


def second_worlds(sizes: Sizes, posted: World) -> list[World]:
    """The claim with all sizes changed, or, where none can be, with other numbers.

    There are several where it is not plain which of the gradient's literals follow. Every one of them has the right
    truth, so it is enough for a repair to hold at one.
    """
    found, runs = _worlds(sizes, sizes.together, posted) if sizes.together else ([], [])
    return (runs or found)[:_KEPT] or [world(posted.program, posted.claim, moved=True)]


def narrow_worlds(sizes: Sizes, posted: World) -> list[World]:
    """The claim where what is 1 stays 1: the width of a column, `y.reshape(-1, 1)`, may be no size at all.

    None where no 1 is among the sizes.
    """
    ones = {item.place for item in sizes.known if item.value == 1}
    changes = [change for change in sizes.groups if ones.isdisjoint(change)]
    if not changes or len(changes) == len(sizes.groups):
        return []
    return _worlds(sizes, {place: size for change in changes for place, size in change.items()}, posted)[1][:_KEPT]


def single_worlds(sizes: Sizes, posted: World) -> list[World]:
    """The claim with one size changed, for a script where a size stands in an index, `dx[:, k : k + 7]`.

    None where the claim runs with all sizes changed, or not even at its own.
    """
    with running(posted.program):
        if attempt(posted, ()) is None or not sizes.together or _worlds(sizes, sizes.together, posted)[1]:
            return []
    every = (_worlds(sizes, change, posted)[1] for change in sizes.groups)
    return next((runs[:_KEPT] for runs in every if runs), [])


def _worlds(sizes: Sizes, change: Change, posted: World) -> tuple[list[World], list[World]]:
    """The claim at other sizes, by what may follow of its literals; and those where it does as at the posted sizes."""
    made = world_at(sizes, change, posted.claim)
    found = [made.with_backward(b) for b in _backwards(made, sizes, change)] if made is not None else []
    return found, [there for there in found if _like(there, posted)]


def world_at(sizes: Sizes, change: Change, claim: Claim) -> World | None:
    """The claim at other sizes, or None where the truth cannot be had there."""
    try:
        return world(sizes.program_at(change), claim)
    except (UserCodeError, HandgradError, RuntimeError):
        return None


def _backwards(made: World, sizes: Sizes, change: Change) -> list[list[tuple[int, ast.stmt]]]:
    """The backward pass with its literals as they are, with all that equal a changed size changed, and in between."""
    new = [(item.value, change[item.place]) for item in sizes.known if item.place in change]
    mine = [item for _, statement in made.backward for item in (*literals_of(statement), *_multipliers(statement))]
    options = {item.value: _followers(item.value, new) for item in mine}
    alike = itertools.product(*options.values())  # one number, one meaning
    by_value = [dict(zip(options, values, strict=True)) for values in itertools.islice(alike, _CHOICES)]
    changes = [{item.place: choice[item.value] for item in mine} for choice in by_value]
    freely = itertools.islice(itertools.product(*(options[item.value] for item in mine)), _CHOICES)
    changes += [{item.place: value for item, value in zip(mine, values, strict=True)} for values in freely]
    changes = list({tuple(change.items()): change for change in [*changes, {}]}.values())
    return [
        [(index, _replaced(statement, change)) for index, statement in made.backward]
        for change in changes
    ]  # fmt: skip


def _multipliers(statement: ast.stmt) -> list[Literal]:
    """The whole numbers beside a product: `dz = (p - t) / 32`, `32 * g - g.sum(0)`, where 32 may be the batch."""
    products = [n for n in ast.walk(statement) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div | ast.Mult)]
    sides = [side for n in products for side in ((n.right,) if isinstance(n.op, ast.Div) else (n.left, n.right))]
    whole = [n for n in sides if isinstance(n, ast.Constant) and type(n.value) is int and n.value > 2]
    return [Literal((n.lineno, n.col_offset), n.value, False) for n in whole]  # type: ignore[arg-type]


def _followers(value: int, new: Sequence[tuple[int, int]]) -> list[int]:
    """What a literal of the gradient may be at the new sizes: the changed size that it equals, or is a product with."""
    equal = [after for before, after in new if before == value]
    products = [value // before * after for before, after in new if 1 < before < value and value % before == 0]
    return list(dict.fromkeys([*equal, *products, value]))


def _replaced(statement: ast.stmt, change: Change) -> ast.stmt:
    new: ast.stmt = copied(statement)
    for node in ast.walk(new):
        if isinstance(node, ast.Constant) and (node.lineno, node.col_offset) in change:
            node.value = change[node.lineno, node.col_offset]
    return new


def _like(there: World, posted: World) -> bool:
    """Whether the claim runs there, and has the variable's shape if it has it at the posted sizes."""
    with running(posted.program):
        mine, value = attempt(posted, ()), attempt(there, ())
    if mine is None:
        return True
    fits = tuple(getattr(mine, "shape", ())) == posted.shape
    return value is not None and (not fits or tuple(value.shape) == there.shape)
