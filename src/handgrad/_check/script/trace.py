"""The trace of a script: every line that makes a tensor, with its shape, and what looks wrong about it.

The script runs as it is; each expression in it is wrapped in a call that notes its shape the first time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..subjects.calling import is_numeric
from .axes import axes_of, letters_of
from .program import Namespace, Program, copied, execute
from .suspicion import Sight, suspicion

Shape = tuple[int, ...]
_SEEN, _LINE = "__handgrad_seen__", "__handgrad_line__"
_WRAPPED = (ast.Name, ast.Attribute, ast.Call, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Compare, ast.IfExp)


@dataclass
class Recorder:
    """What a run has shown: the shape of each expression, by its number, and the lines, in order of running."""

    shapes: dict[int, Shape] = field(default_factory=dict)
    lines: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    nodes: list[ast.expr] = field(default_factory=list)  # the expressions, by their number
    statements: list[ast.stmt] = field(default_factory=list)
    uneven: set[int] = field(default_factory=set)  # those whose shape changes from one turn of a loop to the next

    def seen(self, number: int, value: Any) -> Any:
        """Note a value's shape and hand it on."""
        shape = tuple(value.shape) if hasattr(value, "shape") and is_numeric(value) else None
        if shape is not None and self.shapes.setdefault(number, shape) != shape:
            self.uneven.add(number)
        return value

    def line(self, program: Program, number: int, values: Mapping[str, Any]) -> None:
        """Note what a statement has made, the first time that it ran."""
        statement = self.statements[number]
        for name, value in values.items():
            if (number, name) in self.lines:
                self.lines[number, name]["times"] += 1
            elif hasattr(value, "shape") and is_numeric(value):
                self.lines[number, name] = {
                    "line": statement.lineno,
                    "column": statement.col_offset + 1,
                    "text": program.text(statement),
                    "name": name,
                    "shape": list(value.shape),
                    "dtype": str(value.dtype).removeprefix("torch."),
                    "note": None,
                    "times": 1,
                }


class _Wrapper(ast.NodeTransformer):
    """Wraps expressions and adds a note after each assignment; numbers count up, the same in each run of a script."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr):
            return self._noted(node)
        if isinstance(node, ast.expr):
            return self._wrapped(node)
        return self.generic_visit(node)

    def visit_children(self, node: ast.AST) -> None:
        """Everything below a node that is a value: not the function of a call, nor indices, nor targets."""
        for name, value in ast.iter_fields(node):
            if name in ("slice", "annotation", "target", "targets", "decorator_list", "generators"):
                continue
            if name == "func" and isinstance(value, ast.Attribute):
                value.value = self.visit(value.value)
            elif name != "func" and isinstance(value, list):
                value[:] = [self.visit(item) if isinstance(item, ast.AST) else item for item in value]
            elif name != "func" and isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))

    def _wrapped(self, node: ast.expr) -> ast.expr:
        number = len(self.recorder.nodes)
        plain = isinstance(node, _WRAPPED) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        if plain:
            self.recorder.nodes.append(copied(node))
        if not isinstance(node, ast.Lambda | ast.JoinedStr):
            self.visit_children(node)
        return _call(_SEEN, [ast.Constant(number), node], node) if plain else node

    def _noted(self, node: ast.stmt) -> list[ast.stmt]:
        number = len(self.recorder.statements)
        self.recorder.statements.append(copied(node))
        names = _made(node)
        self.visit_children(node)
        if not names and isinstance(node, ast.Expr):
            values: ast.expr = ast.Dict([ast.Constant("")], [node.value])
            return [_statement(_call(_LINE, [ast.Constant(number), values], node))]
        values = ast.Dict([ast.Constant(n) for n in names], [ast.Name(n, ast.Load()) for n in names])
        return [node, _statement(_call(_LINE, [ast.Constant(number), values], node))]


def _made(node: ast.stmt) -> list[str]:
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    names = [n.id for target in targets if target for n in ast.walk(target) if isinstance(n, ast.Name)]
    keys = {n.id for t in targets if t for s in ast.walk(t) if isinstance(s, ast.Subscript) for n in ast.walk(s.slice)
            if isinstance(n, ast.Name)}  # fmt: skip
    return [name for name in dict.fromkeys(names) if name not in keys]


def _call(name: str, arguments: list[ast.expr], at: ast.AST) -> ast.expr:
    return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), at)


def _statement(expression: ast.expr) -> ast.stmt:
    return ast.copy_location(ast.Expr(expression), expression)


def instrument(statements: Iterable[ast.stmt]) -> tuple[list[ast.stmt], Recorder]:
    """The statements that note what they make in the recorder, once `listen` has put it into their namespace."""
    recorder = Recorder()
    found: list[ast.stmt] = []
    for statement in statements:
        new = _Wrapper(recorder).visit(copied(statement))
        found.append(_together(new) if isinstance(new, list) else new)
    return found, recorder


def _together(statements: list[ast.stmt]) -> ast.stmt:
    """Several statements as one, so that a script keeps its count of statements."""
    if len(statements) == 1:
        return statements[0]
    return ast.copy_location(ast.If(ast.Constant(True), statements, []), statements[0])


def listen(program: Program, recorder: Recorder, namespace: Namespace) -> None:
    """Make the recorder hear what instrumented statements do in this namespace."""
    namespace[_SEEN] = recorder.seen
    namespace[_LINE] = lambda number, values: recorder.line(program, number, values)


def traced_run(program: Program, namespace: Namespace, statements: Iterable[ast.stmt]) -> Recorder:
    """Run statements and record them; where one raises, the recorder is on the error as `.recorder`."""
    instrumented, recorder = instrument(statements)
    listen(program, recorder, namespace)
    try:
        execute(program, instrumented, namespace)
    except BaseException as error:
        error.recorder = recorder  # type: ignore[attr-defined]
        raise
    return recorder


def entries(program: Program, recorder: Recorder) -> tuple[dict[str, Any], ...]:
    """The trace: one plain dict for each tensor that a line made, `note` where something looks wrong."""
    sight = _sight(program, recorder)
    found = []
    for (number, _), entry in recorder.lines.items():
        note = suspicion(sight, recorder.statements[number])
        times = entry.pop("times")
        entry["note"] = note or (f"first of {times} times" if times > 1 else None)
        found.append(entry)
    return tuple(found)


def suspicion_at(program: Program, recorder: Recorder, line: int) -> str | None:
    """What looks wrong about a line that raised."""
    there = [s for s in recorder.statements if s.lineno <= line <= (s.end_lineno or 0)]
    notes = (suspicion(_sight(program, recorder), statement) for statement in there)
    return next((note for note in notes if note), None)


def _sight(program: Program, recorder: Recorder) -> Sight:
    shapes, known = expression_shapes(recorder), axes_of(program.statements)
    return Sight(program, lambda node: shape_at(shapes, node), lambda node: letters_of(node, known))


def _place(node: ast.AST) -> tuple[Any, ...]:
    return (
        type(node).__name__,
        *(getattr(node, name, None) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")),
    )


def expression_shapes(recorder: Recorder) -> dict[tuple[Any, ...], Shape]:
    """The shape of every expression that was seen, by its place in the source."""
    return {_place(recorder.nodes[number]): shape for number, shape in recorder.shapes.items()}


def shape_at(shapes: Mapping[tuple[Any, ...], Shape], node: ast.AST) -> Shape | None:
    """The shape that an expression of the script had."""
    return shapes.get(_place(node))
