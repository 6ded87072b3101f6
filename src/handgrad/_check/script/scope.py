"""What the rules may know about a script: gathered from one traced run and the names of a claim."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..fixline import is_tensor
from .adjoint import calls
from .edits import Scope
from .names import loaded, root, stored
from .program import Program
from .suspicion import Shape
from .trace import Recorder, expression_shapes, shape_at
from .world import World

_CUTS_OFF = re.compile(r"relu|maximum|clamp|clip|where|max\(0|> ?0|threshold", re.IGNORECASE)
_CURVED = re.compile(r"tanh|sigmoid|exp|relu|maximum|clamp|where|erf|cosh|softplus|elu", re.IGNORECASE)
_NORMALISES = re.compile(r"\b(var|std)|sqrt|norm", re.IGNORECASE)
_KEYWORDS = ("stride", "padding", "dilation", "groups")


def scope_of(world: World, recorder: Recorder) -> Scope:
    """The rules' knowledge of a claim at the script's own sizes."""
    program, claim = world.program, world.claim
    forward = [program.statements[i] for i in world.forward]
    backward = [statement for _, statement in world.backward]
    shapes = expression_shapes(recorder)
    values = {name: value for name, value in world.state.names.items() if is_tensor(value)}
    local = _local_shapes(backward, shapes)
    stands_for = _parameters(backward, program)
    inside = any(isinstance(statement, ast.FunctionDef) for statement in backward)
    names = {name: tuple(value.shape) for name, value in values.items()} if not inside else {}
    for parameter, name in stands_for.items():
        if name in values:
            names[parameter] = tuple(values[name].shape)
    return Scope(
        program=program,
        output=claim.output,
        grad_output=claim.grad_output,
        names=names | local,
        inputs=_inputs(forward, values) | {claim.name},
        forward_keywords=_keywords(forward),
        masks=any(_CUTS_OFF.search(ast.unparse(statement)) for statement in forward),
        numpy=not any(isinstance(value, Tensor) for value in values.values()),
        shape_of=_shape_of(shapes, names | local),
        stands_for=stands_for,
        gradients=frozenset({claim.grad_output or ""}.union(*map(stored, backward))),
        forward=frozenset().union(*map(stored, forward)),
        windows=_windows(forward),
        normalises=any(_NORMALISES.search(ast.unparse(statement)) for statement in forward),
        indices=frozenset(name for name, value in world.state.names.items() if _is_index(value)),
        curved=any(_CURVED.search(ast.unparse(statement)) for statement in forward),
    )


def _is_index(value: Any) -> bool:
    """Whether a value may say which entries are meant: whole numbers, or a mask of them."""
    return isinstance(value, Tensor | np.ndarray) and value.ndim > 0 and not is_tensor(value)


def _shape_of(shapes: Mapping[Any, Shape], names: Mapping[str, Shape]) -> Callable[[ast.AST], Shape | None]:
    def shape_of(node: ast.AST) -> Shape | None:
        seen = shape_at(shapes, node)
        return names.get(node.id) if seen is None and isinstance(node, ast.Name) else seen

    return shape_of


def _local_shapes(statements: Sequence[ast.stmt], shapes: Mapping[Any, Shape]) -> dict[str, Shape]:
    """The tensors that the backward pass itself makes or reads, by the shape they first had."""
    found: dict[str, Shape] = {}
    for statement in statements:
        for node in ast.walk(statement):
            shape = shape_at(shapes, node) if isinstance(node, ast.Name) else None
            if shape and isinstance(node, ast.Name):
                found.setdefault(node.id, shape)
    return found


def _parameters(statements: Sequence[ast.stmt], program: Program) -> dict[str, str]:
    """Parameters of the script's functions, by the variable that a call in it passes."""
    functions = {s.name: s for s in program.statements if isinstance(s, ast.FunctionDef)}
    found: dict[str, str] = {}
    for call in (node for statement in statements for node in ast.walk(statement) if isinstance(node, ast.Call)):
        function = functions.get(root(call.func) or "")
        if function is not None:
            for parameter, argument in zip(function.args.args, call.args, strict=False):
                if isinstance(argument, ast.Name):
                    found[parameter.arg] = argument.id
    return found


def _inputs(forward: Sequence[ast.stmt], values: Mapping[str, Any]) -> frozenset[str]:
    """Tensors that the forward pass makes of no other tensor."""
    made = {
        target.id
        for statement in forward
        if isinstance(statement, ast.Assign) and not loaded(statement.value) & set(values)
        for target in ast.walk(statement)
        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
    }
    return frozenset(made & set(values))


def _keywords(forward: Sequence[ast.stmt]) -> dict[str, ast.expr]:
    """stride, padding, dilation and groups of the forward pass's own convolutions and unfoldings."""
    windowed = (call for name, call in calls(forward) if re.search("conv|fold", ast.unparse(call.func).lower()))
    return {k.arg: k.value for call in windowed for k in call.keywords if k.arg in _KEYWORDS}


def _windows(forward: Sequence[ast.stmt]) -> tuple[ast.Tuple, ...]:
    found = {
        ast.unparse(node.slice): node.slice
        for statement in forward
        for node in ast.walk(statement)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) and isinstance(node.ctx, ast.Load)
        and any(isinstance(item, ast.Slice) and item.lower is not None for item in node.slice.elts)
    }  # fmt: skip
    return tuple(found.values())
