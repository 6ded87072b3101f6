"""The whole numbers in a script that may be sizes, and the script with others in their places."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .program import Program, copied

Place = tuple[int, int]  # line and column of a literal
Change = Mapping[Place, int]
_NO_SIZE = re.compile(
    r"stride|pad|dil|seed|lr|rate|group|kern|ksize|^k|^[fhw]{1,2}$|out|eps|epoch|axis|dim$|range|arange|linspace"
    r"|zeros|empty|ones|full",
    re.IGNORECASE,
)
# calls whose numbers are axes, seeds, exponents, bounds, or a window, which stays as its stride does
_AXES = re.compile(
    r"seed|fold|pool|repeat|roll|chunk|tensor|array|permute|transpose|axes|^sum$|^mean$|flip|rot90|softmax|squeeze"
    r"|flatten|^size$|^(?-i:conv)|pow|norm|clip|clamp|tri[lu]|diag",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Literal:
    """A whole number in the script that may be a size."""

    place: Place
    value: int
    primary: bool  # makes data or names a size; the others only follow
    counts: bool = False  # the end of a loop: `range(4)`


def literals(program: Program) -> list[Literal]:
    """Every literal of a script that may be a size, in the order of the script."""
    found = {item.place: item for statement in program.statements for item in literals_of(statement)}
    return [found[place] for place in sorted(found)]


def literals_of(statement: ast.stmt) -> Iterator[Literal]:
    """The literals of one statement that may be sizes."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            if name == "fold":  # its image's size follows, its window stays
                yield from (Literal(p, v, False) for a in node.args if isinstance(a, ast.Tuple) for p, v in _whole(a))
            elif not _AXES.search(name):
                yield from _of_call(node, name)
        elif isinstance(node, ast.Assign) and not _NO_SIZE.search(ast.unparse(node.targets[0])):
            yield from (Literal(place, value, True) for place, value in _whole(node.value))


def _of_call(node: ast.Call, name: str) -> Iterator[Literal]:
    arguments = [*node.args, *(k.value for k in node.keywords if k.arg in ("size", "shape"))]
    primary = not _NO_SIZE.search(name) and name not in ("view", "reshape")
    sizes = [item for a in arguments for item in (a.elts if isinstance(a, ast.Tuple | ast.List) else [a])]
    for axis, argument in enumerate(sizes):
        for place, value in _whole(argument):
            # a window's height and width stay: paddings and crops in the script are written for them
            yield Literal(place, value, primary and (axis < 2 or value > 7), name in ("range", "arange"))


def _whole(node: ast.expr) -> Iterator[tuple[Place, int]]:
    """The whole numbers in `5`, `(2, 3)`, `3 * 28`."""
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value > 0:
        yield (node.lineno, node.col_offset), node.value
    elif isinstance(node, ast.Tuple | ast.List):
        yield from (item for element in node.elts for item in _whole(element))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        factors = [list(_whole(node.left)), list(_whole(node.right))]
        yield from (item for found in factors for item in found if all(factors))  # `2 * (y - t)` has no size in it


def rewritten(program: Program, change: Change) -> Program:
    """The script with other literals."""
    return program.changed(
        _Rewriter(change).visit(copied(statement)) if _touches(statement, change) else statement
        for statement in program.statements
    )


def _touches(statement: ast.stmt, change: Change) -> bool:
    return any(statement.lineno <= line <= (statement.end_lineno or 0) for line, _ in change)


class _Rewriter(ast.NodeTransformer):
    def __init__(self, change: Change) -> None:
        self.change = change

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        place = (node.lineno, node.col_offset)
        return ast.copy_location(ast.Constant(self.change[place]), node) if place in self.change else node
