"""One step at a time away from a right backward pass: its syntax tree with a single thing changed."""

from __future__ import annotations

import ast
import collections
import copy
import hashlib
from dataclasses import dataclass

from changes import Change, changes


@dataclass(frozen=True)
class Mutation:
    """A changed program: what was done, the statement before and after, and the whole source."""

    kind: str
    before: str
    after: str
    source: str


def mutations(source: str, kept: tuple[str, ...] = (), after: str = "") -> list[Mutation]:
    """Every mutation of the backward pass, in an order that mixes kinds and places and is the same on every run.

    Args:
        source: the program.
        kept: variables of a flat script that stay as they are.
        after: the variable of a flat script after which its backward begins; without it, functions are looked at.
    """
    found = []
    for number, statement in enumerate(_statements(ast.parse(source), kept, after)):
        names = sorted(_names(statement))
        for place, node in enumerate(ast.walk(statement)):
            found += [_mutated(source, kept, after, (number, place), change) for change in changes(node, names)]
    unique = {mutation.source: mutation for mutation in found}
    return _mixed(sorted(unique.values(), key=lambda m: hashlib.sha1((m.kind + m.before + m.after).encode()).digest()))


def _mixed(found: list[Mutation]) -> list[Mutation]:
    """One of each kind, then another of each kind …"""
    seen: collections.Counter[str] = collections.Counter()
    rounds: list[tuple[int, int]] = []
    for place, mutation in enumerate(found):
        rounds.append((seen[mutation.kind], place))
        seen[mutation.kind] += 1
    return [found[place] for _, place in sorted(rounds)]


def _statements(tree: ast.Module, kept: tuple[str, ...], after: str) -> list[ast.stmt]:
    """Functions named backward, as wholes; of a script the lines after its output."""
    if not after:
        every = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        return [node for node in every if node.name == "backward" or node.name.endswith("_backward")]
    start = max(i for i, line in enumerate(tree.body) if after in _stored(line))
    return [line for line in tree.body[start + 1 :] if not _stored(line) & set(kept)]


def _stored(tree: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _names(tree: ast.AST) -> set[str]:
    """What a backward calls its tensors: the variables that it computes with, functions and modules aside."""
    inside = [*tree.args.args, *tree.body] if isinstance(tree, ast.FunctionDef) else [tree]  # decorators apart
    nodes = [node for part in inside for node in ast.walk(part)]
    called = {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    used = {n.id for n in nodes if isinstance(n, ast.Name)} | {n.arg for n in nodes if isinstance(n, ast.arg)}
    return used - called - {"np", "torch", "F", "self", "ctx", "range", "math", "numpy", "nn"}


def _mutated(source: str, kept: tuple[str, ...], after: str, place: tuple[int, int], change: Change) -> Mutation:
    tree = ast.parse(source)
    whole = _statements(tree, kept, after)[place[0]]
    target = list(ast.walk(whole))[place[1]]
    lines = [n for n in ast.walk(whole) if isinstance(n, ast.stmt) and any(target is m for m in ast.walk(n))]
    before, kind = ast.unparse(lines[-1]), change[0]
    line = _Replace(target, copy.deepcopy(change[1])).visit(lines[-1]) if target is lines[-1] else lines[-1]
    _Replace(target, copy.deepcopy(change[1])).visit(tree)
    tree = ast.fix_missing_locations(tree)
    return Mutation(kind, before, ast.unparse(ast.fix_missing_locations(line)), ast.unparse(tree))


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, new: ast.AST) -> None:
        self.target, self.new = target, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.target else self.generic_visit(node)
