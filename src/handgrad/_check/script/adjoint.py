"""The fold that is the adjoint of a script's own unfold, in the script's own words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from .program import Program


def folds(program: Program) -> tuple[str, ...]:
    """For each unfold of the script, the fold that is its adjoint, as a template in the script's own words."""
    layers = {
        ast.unparse(statement.targets[0]): statement.value
        for statement in program.statements
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
        and ast.unparse(statement.value.func).endswith("Unfold")
    }  # fmt: skip
    found = []
    for name, call in calls(program.statements):
        made = layers.get(ast.unparse(call.func)) or (call.func if isinstance(call.func, ast.Call) else None)
        if isinstance(made, ast.Call) and ast.unparse(made.func).endswith("Unfold") and call.args:
            found.append(_fold(program, call.args[0], [*made.args], made.keywords))
        elif name == "unfold" and _is_functional(call) and call.args:
            found.append(_fold(program, call.args[0], call.args[1:], call.keywords))
    return tuple(dict.fromkeys(found))


def _is_functional(call: ast.Call) -> bool:
    """Whether it is `torch.nn.functional.unfold`, and not a tensor's own unfold."""
    owner = ast.unparse(call.func).rpartition(".")[0]
    return owner in ("", "F") or owner.endswith("functional")


def _fold(program: Program, image: ast.expr, arguments: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> str:
    rest = [ast.unparse(a) for a in arguments] + [f"{k.arg}={ast.unparse(k.value)}" for k in keywords]
    module = "F" if re.search(r"functional as F\b", program.source) else "torch.nn.functional"
    return f"{module}.fold({{}}, {ast.unparse(image)}.shape[-2:], {', '.join(rest)})"


def calls(statements: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.Call]]:
    """Every call in statements, with the last part of the function's name."""
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func).split(".")[-1], node
