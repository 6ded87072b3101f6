"""A note on an exception of the checked code: the expression that failed and the shapes of what stands in it."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

_OWN = str(Path(__file__).parents[1])  # frames of the checker itself are not the checked code's
_LIBRARIES = ("site-packages", "dist-packages", "<frozen", f"{Path(ast.__file__).parent}")


def explain(error: BaseException) -> None:
    """Add the note "in `x.T @ w`: x (5, 7), w (5, 3)" to `error`, if its expression holds any tensors."""
    frame = user_frame(error.__traceback__)
    if frame is None:
        return
    expression = _expression(frame)
    if expression is None or getattr(error, "__notes__", None):
        return
    scope = {**frame.tb_frame.f_globals, **frame.tb_frame.f_locals}
    assigned = _assigned(frame, expression)
    shapes = operand_shapes(expression if assigned is None else assigned, scope)
    words = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
    if assigned is not None and isinstance(expression, ast.Attribute):
        owner = operand_shapes(expression.value, scope).get(ast.unparse(expression.value))
        needed = f" {tuple(owner)}" if owner is not None else ""
        text = f"`{ast.unparse(expression)}` needs the shape of `{ast.unparse(expression.value)}`{needed}"
        error.add_note(f"handgrad: {text}; it gets `{ast.unparse(assigned)}`" + (f": {words}" if words else ""))
    elif words:
        error.add_note(f"handgrad: in `{ast.unparse(expression)}`: {words}")


def user_frame(trace: TracebackType | None) -> TracebackType | None:
    """The innermost frame of a traceback that is neither the checker's nor a library's."""
    found = None
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_OWN) and not any(part in file for part in _LIBRARIES):
            found = trace
        trace = trace.tb_next
    return found


def user_traceback(error: BaseException, limit: int = 4000) -> str:
    """The traceback as Python prints it, notes included, without the checker's own frames."""
    short = traceback.TracebackException.from_exception(error)
    _without_own(short)
    text = "".join(short.format()).rstrip()
    return text if len(text) <= limit else text[: limit // 2] + "\n…\n" + text[-limit // 2 :]


def _without_own(short: traceback.TracebackException) -> None:
    """Take the checker's frames out of a traceback and of what it was raised from; what is only the checker's goes."""
    short.stack = traceback.StackSummary.from_list(
        [f for f in short.stack if not f.filename.startswith((_OWN, "<frozen"))]
    )
    for earlier in (short.__cause__, short.__context__):
        if earlier is not None:
            _without_own(earlier)
    if short.__context__ is not None and not short.__context__.stack:
        short.__context__ = None


def operand_shapes(expression: ast.AST, scope: Mapping[str, Any]) -> dict[str, list[int]]:
    """The shapes of the variables and attributes in an expression, by their names as written."""
    shapes: dict[str, list[int]] = {}
    for node in ast.walk(expression):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            shape = getattr(_value(node, scope), "shape", None)
            if isinstance(shape, tuple):
                shapes[ast.unparse(node)] = [int(size) for size in shape]
    return shapes


def _value(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """The value of `x`, `self.x`, `x.T` without running anything else."""
    if isinstance(node, ast.Name):
        return scope.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, scope)
        if node.attr in ("T", "mT"):
            return getattr(owner, node.attr, None)
        own = getattr(owner, "__dict__", {})
        return next((held[node.attr] for held in (own, own.get("_parameters", {})) if node.attr in held), None)
    return None


def _assigned(trace: TracebackType, target: ast.expr) -> ast.expr | None:
    """What is assigned to a `.grad`, if that is what failed."""
    if not (isinstance(target, ast.Attribute) and target.attr == "grad"):
        return None
    code = trace.tb_frame.f_code
    try:
        block = inspect.getblock(linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :])
        tree = ast.parse(textwrap.dedent("".join(block)))
    except (SyntaxError, IndexError):
        return None
    line = trace.tb_lineno - code.co_firstlineno + 1
    assignments = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and node.lineno <= line]
    here = [node for node in assignments if ast.unparse(target) in map(ast.unparse, node.targets)]
    return max(here, key=lambda node: node.lineno).value if here else None


def _expression(trace: TracebackType) -> ast.expr | None:
    """The expression a frame was evaluating, by the columns that Python keeps for each instruction."""
    code = trace.tb_frame.f_code
    line, end, column, end_column = list(code.co_positions())[trace.tb_lasti // 2]
    if line is None or end is None or column is None or end_column is None:
        return None
    lines = [linecache.getline(code.co_filename, number).rstrip("\n").encode() for number in range(line, end + 1)]
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    try:
        return ast.parse("(" + b"\n".join(lines).decode() + "\n)", mode="eval").body
    except (SyntaxError, UnicodeDecodeError):
        return None
