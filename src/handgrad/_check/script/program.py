"""A flat script as a list of top-level statements: read, made steady, cut, run statement by statement.

Everything about a flat script is done by running some of its statements: all of them for the trace, those before the
output for the truth, those of the hand-written gradient, edited, for the repair.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from ..subjects.calling import call, steady

Namespace = dict[str, Any]
_SHORT = {"float32": "float64", "float16": "float64", "half": "float64", "FloatTensor": "DoubleTensor"}
_GRADIENTS_OFF = ("no_grad", "inference_mode")


@dataclass(frozen=True)
class Program:
    """`statements` are in the order in which they run; loops, functions and classes are one statement each."""

    path: str
    source: str
    statements: tuple[ast.stmt, ...]

    def changed(self, statements: Iterable[ast.stmt]) -> Program:
        """The same script with other statements."""
        return replace(self, statements=tuple(statements))

    def text(self, node: ast.AST) -> str:
        """The source of a node as it was written, its first line."""
        written = ast.get_source_segment(self.source, node) or ast.unparse(node)
        return written.splitlines()[0].strip()


def load(path: str) -> Program:
    """The script at `path`, which would print the same numbers in float64 and the same ones each time.

    Raises what reading and parsing raise: OSError, SyntaxError, UnicodeDecodeError.
    """
    source = Path(path).read_text(encoding="utf-8")
    tree = _Steadier().visit(ast.parse(source, filename=path))
    return Program(path, source, tuple(_flat(tree.body)))


class _Steadier(ast.NodeTransformer):
    """float64 for float32, so that rounding hides nothing, and a seed for NumPy's unseeded generator."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr == "float" and isinstance(node.value, ast.Name) and node.value.id == "torch":
            node.attr = "float64"
        node.attr = _SHORT.get(node.attr, node.attr)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "float" and not node.args:
            node.func.attr = "double"
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "default_rng" and not node.args and not node.keywords:
            node.args.append(ast.copy_location(ast.Constant(0), node))
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if node.value in ("float32", "float16") and isinstance(node.value, str):
            node.value = "float64"
        return node


def _flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Top-level statements, also those under `if __name__ == "__main__"` and, one by one, those under `no_grad`."""
    for statement in body:
        if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
            yield from _flat(statement.body)
        elif isinstance(statement, ast.With) and gradients_off(statement):
            for inner in _flat(statement.body):
                yield ast.copy_location(ast.With(statement.items, [inner], None), inner)
        else:
            yield statement


def copied(node: Any) -> Any:
    """A deep copy of a node, places in the source included; much faster than `copy.deepcopy`."""
    if isinstance(node, list):
        return [copied(item) for item in node]
    if not isinstance(node, ast.AST) or not node._fields:  # contexts and operators are never changed
        return node
    return ast.copy_location(type(node)(**{name: copied(value) for name, value in ast.iter_fields(node)}), node)


def unrolled(program: Program, names: Collection[str]) -> Program:
    """The script with the first turn of each loop that binds all of `names` anew: a training loop, taken once."""
    return program.changed(new for statement in program.statements for new in _unrolled(statement, names))


def _unrolled(statement: ast.stmt, names: Collection[str]) -> Iterator[ast.stmt]:
    body = getattr(statement, "body", [])
    bound = {t.id for s in body if isinstance(s, ast.Assign) for t in ast.walk(s) if isinstance(t, ast.Name)
             and isinstance(t.ctx, ast.Store)}  # fmt: skip
    jumps = any(isinstance(node, ast.Break | ast.Continue) for node in ast.walk(statement))
    if not isinstance(statement, ast.For) or jumps or not set(names) <= bound | _bound_inside(body):
        yield statement
        return
    first = ast.parse("next(iter(x))", mode="eval").body
    first.args[0].args[0] = statement.iter  # type: ignore[attr-defined]
    yield ast.fix_missing_locations(ast.copy_location(ast.Assign([statement.target], first), statement))
    for inner in _flat(body):
        yield from _unrolled(inner, names)


def _bound_inside(body: Sequence[ast.stmt]) -> set[str]:
    """The names that loops directly in a loop bind."""
    return {
        node.id
        for loop in body
        if isinstance(loop, ast.For)
        for statement in loop.body
        if isinstance(statement, ast.Assign)
        for node in statement.targets
        if isinstance(node, ast.Name)
    }


def gradients_off(statement: ast.With) -> bool:
    """Whether this is `with torch.no_grad():`."""
    return any(word in ast.unparse(item.context_expr) for item in statement.items for word in _GRADIENTS_OFF)


def recorded_by_autograd(statement: ast.stmt) -> ast.stmt:
    """The statement without `no_grad`: a forward pass that switches autograd off has a derivative all the same."""
    while isinstance(statement, ast.With) and gradients_off(statement) and len(statement.body) == 1:
        statement = statement.body[0]
    return statement


def new_namespace(program: Program) -> Namespace:
    """What a script finds when Python runs it."""
    return {"__name__": "__main__", "__file__": program.path, "__builtins__": builtins}


def execute(program: Program, statements: Iterable[ast.stmt], namespace: Namespace) -> None:
    """Run statements in order; what one raises comes as `UserCodeError`, explained, with its line as the stage."""
    for statement in statements:
        call(f"line {statement.lineno}", exec, _compiled(program.path, statement), namespace)


@lru_cache(maxsize=2048)
def _compiled(path: str, statement: ast.stmt) -> CodeType:
    """A statement's code, with the script's own lines in tracebacks; a statement is the same object, or another one."""
    module = ast.fix_missing_locations(ast.Module([statement], []))
    return compile(module, path, "exec")


@contextlib.contextmanager
def running(program: Program, quiet: bool = True) -> Iterator[None]:
    """Inside, random numbers are steady, the script's folder can be imported from and `sys.argv` is its path.

    What it prints goes to standard error, or, `quiet`, nowhere: everything is run more than once.
    """
    before = sys.argv, list(sys.path)
    sys.argv, sys.path[:] = [program.path], [str(Path(program.path).resolve().parent), *sys.path]
    printed = io.StringIO() if quiet else sys.stderr
    try:
        with steady(), contextlib.redirect_stdout(printed), warnings.catch_warnings():
            if quiet:
                warnings.simplefilter("ignore")
            yield
    finally:
        sys.argv, sys.path[:] = before
