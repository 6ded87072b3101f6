"""Pieces of syntax that the rules make their edits of."""

from __future__ import annotations

import ast
from typing import Any

from ..edits import Make


def attribute(value: Any, name: str) -> ast.expr:
    return ast.Attribute(value, name, ast.Load())


def method(value: Any, name: str, *arguments: Any) -> ast.expr:
    return ast.Call(attribute(value, name), [ast.parse(repr(a), mode="eval").body for a in arguments], [])


def is_value(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Load)


def named(name: str) -> Make:
    return lambda _: ast.Name(name, ast.Load())


def kept(side: str) -> Make:
    return lambda node: getattr(node, side)


def names_read(node: ast.AST) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
