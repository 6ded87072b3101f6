"""Edits of somebody's own gradient code: each undoes one slip, at one place.

What an edit is worth is found out by running it; the `rules` say which ones there are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .program import Program, copied
from .suspicion import Shape

Make = Callable[[Any], ast.AST | None]


@dataclass(frozen=True)
class Edit:
    """Replace node `number` (in the order of `ast.walk`) of statement `statement` by what `make` makes of it."""

    statement: int
    number: int
    cause: str | None  # None where the vocabulary has no word
    message: str
    make: Make = field(compare=False)
    line: int = 0
    column: int = 0
    rank: int = 0  # of the rule: the more specific ones come first


@dataclass(frozen=True)
class Scope:
    """What the rules may know: which variable plays which part, and shapes at the script's own sizes."""

    program: Program
    output: str
    grad_output: str | None
    names: Mapping[str, Shape]  # the tensors that may stand in the gradient
    inputs: frozenset[str]  # data and weights: what the output is made of
    forward_keywords: Mapping[str, ast.expr]  # stride, padding … of the forward pass's convolution or unfolding
    masks: bool  # whether the forward pass has an activation that cuts off
    numpy: bool
    shape_of: Callable[[ast.AST], Shape | None]
    stands_for: Mapping[str, str] = field(default_factory=dict)  # parameters of the script's functions
    gradients: frozenset[str] = frozenset()  # grad_output, and what the backward pass makes
    forward: frozenset[str] = frozenset()  # what the forward pass makes
    windows: tuple[ast.Tuple, ...] = ()  # the indices that loops of the forward pass read windows with
    normalises: bool = False  # whether it divides by a standard deviation
    indices: frozenset[str] = frozenset()  # arrays of whole numbers
    curved: bool = False  # whether the forward pass has an activation

    def part(self, name: str) -> str:
        """A variable by the name that the script gives it outside of functions."""
        return self.stands_for.get(name, name)


Rule = Callable[[ast.AST, Scope], Iterable[tuple[str | None, str, Make]]]


def edits_of(statements: Sequence[tuple[int, ast.stmt]], scope: Scope, rules: Sequence[Rule]) -> list[Edit]:
    """Every edit that a rule knows, in the order of the code."""
    found = []
    for index, statement in statements:
        for number, node in enumerate(ast.walk(statement)):
            for rank, rule in enumerate(rules):
                for cause, message, make in rule(node, scope):
                    line, column = getattr(node, "lineno", statement.lineno), getattr(node, "col_offset", 0) + 1
                    found.append(Edit(index, number, cause, message, make, line, column, rank))
    return found


def edited(statement: ast.stmt, edits: Iterable[Edit]) -> ast.stmt:
    """The statement with the edits made, inner ones first."""
    new = copied(statement)
    nodes = list(ast.walk(new))
    by_node: dict[int, list[Edit]] = {}
    for edit in edits:
        by_node.setdefault(id(nodes[edit.number]), []).append(edit)
    result: ast.stmt = _Editor(by_node).visit(new)
    return result if result is not None else ast.copy_location(ast.Pass(), statement)


class _Editor(ast.NodeTransformer):
    def __init__(self, by_node: Mapping[int, list[Edit]]) -> None:
        self.by_node = by_node

    def visit(self, node: ast.AST) -> Any:
        edits = self.by_node.get(id(node), [])
        new: Any = self.generic_visit(node)
        for edit in edits:
            new = edit.make(new)
            if new is None:
                return ast.copy_location(ast.Pass(), node) if isinstance(node, ast.stmt) else node
        return ast.fix_missing_locations(ast.copy_location(new, node))
