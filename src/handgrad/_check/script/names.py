"""Which statement makes what: the names a statement stores and reads, and the slice that a value comes from."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence


def root(node: ast.AST) -> str | None:
    """The variable an expression hangs on: `dw` of `dw[n, :]`, `layer` of `layer.weight.grad`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def stored(statement: ast.AST) -> set[str]:
    """The names that running a statement binds or changes in place."""
    names: set[str | None] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Call):
            names |= _changed_by_call(node)
        elif isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            names.add(root(node))
    return {name for name in names if name}


def _changed_by_call(node: ast.Call) -> set[str | None]:
    """`x.add_(1)`, `np.add.at(x, i, v)`, `np.dot(a, b, out=x)`."""
    changed = {root(keyword.value) for keyword in node.keywords if keyword.arg == "out"}
    if isinstance(node.func, ast.Attribute):
        method = node.func.attr
        if method.endswith("_") and not method.startswith("_"):
            changed.add(root(node.func.value))
        if method in ("append", "insert", "fill", "extend", "update"):
            changed.add(root(node.func.value))
        if method in ("at", "copyto", "put_along_axis", "put") and node.args:
            changed.add(root(node.args[0]))
    return changed


def loaded(statement: ast.AST) -> set[str]:
    """The names that a statement reads."""
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def rebinds(statement: ast.stmt, name: str) -> bool:
    """Whether `name` is new after the statement, whatever it was before."""
    if isinstance(statement, ast.Assign):
        targets = [t for target in statement.targets for t in ast.walk(target)]
        return any(isinstance(t, ast.Name) and t.id == name and isinstance(t.ctx, ast.Store) for t in targets)
    return isinstance(statement, ast.FunctionDef | ast.Import | ast.ImportFrom)


def last_store(statements: Sequence[ast.stmt], name: str, before: int) -> int | None:
    """The index of the last statement that stores `name`, among those before index `before`."""
    return next((i for i in reversed(range(before)) if name in stored(statements[i])), None)


def slice_of(statements: Sequence[ast.stmt], names: Iterable[str], before: int) -> list[int]:
    """The statements, in order, that the values of `names` come from just before index `before`."""
    needed, found = set(names), []
    for i in reversed(range(before)):
        made = stored(statements[i]) & needed
        if made:
            found.append(i)
            needed -= {name for name in made if rebinds(statements[i], name)}
            needed |= loaded(statements[i])
    return found[::-1]


def dependents(statements: Sequence[ast.stmt], name: str) -> set[str]:
    """The names that are made, directly or not, of `name`."""
    reached = {name}
    for statement in statements:
        if loaded(statement) & reached:
            reached |= stored(statement)
    return reached - {name}
