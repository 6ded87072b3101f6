"""The source of a function, and the expression in it that makes a gradient."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from .returned import is_gradient_name, word


@dataclass(frozen=True)
class Source:
    """A function's syntax tree, with lines and columns as in the file."""

    file: str
    tree: ast.FunctionDef

    def inner(self) -> Source:
        """The function inside that it returns, `return y, backward`; itself if there is none."""
        inside = {
            node.name: node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef) and node is not self.tree
        }
        names = [node.id for node in returns(self.tree) if isinstance(node, ast.Name)]
        return next((Source(self.file, inside[name]) for name in names if name in inside), self)

    def made(self, code: CodeType) -> bool:
        """Whether this source is that of a code object."""
        lines = range(self.tree.lineno - len(self.tree.decorator_list), (self.tree.end_lineno or self.tree.lineno) + 1)
        return code.co_name == self.tree.name and code.co_filename == self.file and code.co_firstlineno in lines


def source(function: Callable[..., Any]) -> Source | None:
    """The function's source, or None where there is none (a lambda, something built in)."""
    try:
        return _parsed(inspect.unwrap(getattr(function, "__func__", function)))
    except TypeError:  # cannot be hashed, so is no function
        return None


@lru_cache(maxsize=32)  # asked for at every forward pass
def _parsed(function: Callable[..., Any]) -> Source | None:
    try:
        lines, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function)
    except (OSError, TypeError):
        return None
    try:
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (SyntaxError, IndexError):
        return None
    if not isinstance(tree, ast.FunctionDef) or file is None:
        return None
    ast.increment_lineno(tree, first - 1)
    indent = len(lines[0]) - len(lines[0].lstrip())
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt):
            node.col_offset += indent
    return Source(file, tree)


def written(function: Callable[..., Any]) -> str:
    """The function's statements without comments and docstring; empty where there is no source."""
    found = source(function)
    if found is None:
        return ""
    text = isinstance(found.tree.body[0], ast.Expr) and isinstance(found.tree.body[0].value, ast.Constant)
    return "\n".join(map(ast.unparse, found.tree.body[1 if text else 0 :]))


def returns(tree: ast.FunctionDef) -> list[ast.expr]:
    """The elements of the last return statement; of a tuple, list or dictionary each."""
    values = [node.value for node in _own(tree) if isinstance(node, ast.Return) and node.value is not None]
    if not values:
        return []
    last = values[-1]
    if isinstance(last, ast.Dict):
        return list(last.values)
    return list(last.elts) if isinstance(last, ast.Tuple | ast.List) else [last]


def returned_names(function: Callable[..., Any]) -> list[str]:
    """The names in `return dx, dw`; an empty one for what is not a variable."""
    found = source(function)
    return list(_names(found)) if found is not None else []


@lru_cache(maxsize=64)  # asked for at every forward pass
def _names(found: Source) -> tuple[str, ...]:
    return tuple(node.id if isinstance(node, ast.Name) else _attribute(node) for node in returns(found.tree))


def returns_none(function: Callable[..., Any], position: int) -> bool:
    """Whether the element of the return statement at a position is None as it is written, or nothing else ever.

    Where there is no source, or no such element (`(dx, *[None] * 3)`), a None that came back is taken to be meant.
    """
    found = source(function)
    elements = returns(found.tree) if found is not None else []
    if found is None or position >= len(elements) or any(isinstance(node, ast.Starred) for node in elements):
        return True
    node = elements[position]
    if isinstance(node, ast.Name):
        made = [value for target, value in _assignments(found.tree) if _root(target) == node.id]
        return all(isinstance(value, ast.Constant) and value.value is None for value in made)
    return isinstance(node, ast.Constant) and node.value is None


def _attribute(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ""


def _own(tree: ast.FunctionDef) -> Iterator[ast.AST]:
    """The statements of a function in order, without those of functions inside it."""
    todo: list[ast.AST] = list(reversed(tree.body))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            todo.extend(reversed(list(ast.iter_child_nodes(node))))


def maker(tree: ast.FunctionDef, name: str, position: int | None, *, deep: bool = False) -> ast.expr | None:
    """The expression that makes the gradient of `name`: what is returned at `position`, or assigned to its word.

    A variable is followed to its assignment; with `deep`, through crops and changes of shape as well.
    """
    found = returns(tree)
    if position is not None and position < len(found):
        return _follow(tree, found[position], deep=deep)
    for target, value in reversed(list(_assignments(tree))):
        if is_gradient_name(_last(target)) and word(_last(target)) == word(name.rpartition(".")[2]):
            return _follow(tree, value, deep=deep)
    return None


def target(tree: ast.FunctionDef, name: str, position: int | None) -> str:
    """What the gradient of `name` is assigned to, as written: `dw`, `self.dW`; `grad_name` where it has no name yet."""
    found = returns(tree)
    if position is not None and position < len(found):
        node = found[position]
        return node.id if isinstance(node, ast.Name) else f"grad_{name}"
    for node, _ in reversed(list(_assignments(tree))):
        if is_gradient_name(_last(node)) and word(_last(node)) == word(name.rpartition(".")[2]):
            return ast.unparse(node)
    return f"grad_{name}"


def _follow(tree: ast.FunctionDef, node: ast.expr, *, deep: bool) -> ast.expr:
    """The expression behind a variable; with `deep` also behind a crop or a change of shape of one."""
    for _ in range(6):
        inner = _inside(node) if deep else node
        if not isinstance(inner, ast.Name):
            break
        made = _makers(tree, inner.id)
        if not made or made[-1] is node:
            break
        node = made[-1]
    return node


def _inside(node: ast.expr) -> ast.expr:
    """`d` of `d[:, 1:-1]`, `d.reshape(n, -1)`, `d.T`."""
    if isinstance(node, ast.Subscript):
        return _inside(node.value)
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        return _inside(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _RESHAPES:
        return _inside(node.func.value)
    return node


_RESHAPES = {"reshape", "view", "view_as", "squeeze", "contiguous", "copy", "clone", "astype"}


def _makers(tree: ast.FunctionDef, name: str) -> list[ast.expr]:
    """What is assigned to a variable as a whole; if that is room for it only, what is stored into it."""
    made = [(target, value) for target, value in _assignments(tree) if _root(target) == name]
    whole = [value for target, value in made if isinstance(target, ast.Name) and not _is_blank(value)]
    return whole or [value for _, value in made if not _is_blank(value) and not isinstance(value, ast.Constant)]


def _is_blank(value: ast.expr) -> bool:
    """`np.zeros_like(w)` and the like: room for a gradient, not the gradient."""
    return isinstance(value, ast.Call) and any(k in ast.unparse(value.func) for k in ("zeros", "empty", "new_"))


def _assignments(tree: ast.FunctionDef) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in _own(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    yield from zip(target.elts, node.value.elts, strict=False)
                elif isinstance(target, ast.Tuple):
                    yield from ((element, node.value) for element in target.elts)
                else:
                    yield target, node.value
        elif isinstance(node, ast.AugAssign | ast.AnnAssign) and node.value is not None:
            yield node.target, node.value


def _root(target: ast.expr) -> str:
    while isinstance(target, ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _last(target: ast.expr) -> str:
    """The last word of a target: dW of `self.dW`, W of `self.grads["W"]` (with the container's grads before it)."""
    if isinstance(target, ast.Subscript):
        key = target.slice.value if isinstance(target.slice, ast.Constant) else ""
        inner = _last(target.value)
        return f"grad_{key}" if isinstance(key, str) and key and is_gradient_name(inner) else inner
    if isinstance(target, ast.Attribute):
        return _last(target.value) + "_grad" if target.attr == "grad" else target.attr
    return target.id if isinstance(target, ast.Name) else ""
