"""What the axes of a script's tensors mean, as far as its convolutions and unfoldings tell: (N, C·K, L) of columns.

The letters are those of the whole project: N batch, C input and O output channels, K taps of the kernel, L output
positions. They are carried through assignments, transpositions and matrix products, and are only ever shown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from .suspicion import product_operands

Letters = tuple[str, ...]
_IMAGE, _COLUMNS = ("N", "C", "H", "W"), ("N", "C·K", "L")
_KERNEL, _OUTPUT = ("O", "C", "kh", "kw"), ("N", "O", "H′", "W′")


def axes_of(statements: Iterable[ast.stmt]) -> dict[str, Letters]:
    """The letters of each variable whose axes are known, as it was last assigned."""
    known: dict[str, Letters] = {}
    layers: set[str] = set()
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                _learn(node, known, layers)
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, value = statement.targets[0].id, statement.value
            if isinstance(value, ast.Call) and _last(value) == "Unfold":
                layers.add(name)
            elif (letters := letters_of(value, known, layers)) is not None:
                known[name] = letters
    return known


def letters_of(node: ast.AST, known: Mapping[str, Letters], layers: Iterable[str] = ()) -> Letters | None:
    """The letters of an expression's axes, or None where nothing tells."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        inner = letters_of(node.value, known, layers)
        if inner is None:
            return None
        return inner[::-1] if node.attr == "T" else (*inner[:-2], inner[-1], inner[-2])
    operands = product_operands(node)
    if operands is not None:
        left, right = (letters_of(operand, known, layers) for operand in operands)
        return (*left[:-1], right[-1]) if left and right and len(left) == len(right) else None
    if isinstance(node, ast.Call):
        if _unfolds(node, layers):
            return _COLUMNS
        return _OUTPUT if _last(node) == "conv2d" else None
    return None


def _learn(call: ast.Call, known: dict[str, Letters], layers: Iterable[str]) -> None:
    """The operands of a convolution or of an unfolding."""
    wanted = (_IMAGE,) if _unfolds(call, layers) else (_IMAGE, _KERNEL) if _last(call) == "conv2d" else ()
    for argument, letters in zip(call.args, wanted, strict=False):
        if isinstance(argument, ast.Name):
            known.setdefault(argument.id, letters)


def _unfolds(call: ast.Call, layers: Iterable[str]) -> bool:
    made_here = isinstance(call.func, ast.Call) and _last(call.func) == "Unfold"
    name = ast.unparse(call.func)
    return made_here or name in layers or name.endswith(("F.unfold", "functional.unfold"))


def _last(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]
