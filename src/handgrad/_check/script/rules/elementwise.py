"""Products and sums of entries: constants, signs, derivatives of activations, terms too many."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from ..edits import Make, Scope
from .making import kept, names_read


def factors(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A number that is multiplied in, or divided by."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "wrong-sign", f"`{scope.program.text(node)}` has the wrong sign", lambda new: new.operand
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult | ast.Div):
        return
    for value, number, keep in ((node.left, node.right, "left"), (node.right, node.left, "right")):
        if scope.shape_of(value) and not scope.shape_of(number) and (keep == "left" or isinstance(node.op, ast.Mult)):
            cause = "mean-instead-of-sum" if isinstance(node.op, ast.Div) else "scale-factor"
            message = f"`{scope.program.text(node)}` has a factor that the derivative does not have"
            yield cause, message, kept(keep)


def terms(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A sum for a difference, a term or a factor too many."""
    if not isinstance(node, ast.BinOp):
        return
    text = scope.program.text(node)
    if isinstance(node.op, ast.Add | ast.Sub):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield "wrong-sign", f"`{text}` has the wrong sign", lambda new: ast.BinOp(new.left, other, new.right)
        if isinstance(node.op, ast.Sub):
            yield "wrong-sign", f"`{text}` is the wrong way round", lambda new: ast.BinOp(new.right, new.op, new.left)
        weights = [name for name in names_read(node.right) if scope.part(name) in scope.inputs]
        message = f"`{scope.program.text(node.right)}` is not part of the derivative"
        yield ("regularizer-included" if weights else None), message, kept("left")
    if isinstance(node.op, ast.Mult):
        for side, other_side in (("left", node.right), ("right", node.left)):
            twice = isinstance(other_side, ast.Name) and scope.part(other_side.id) == scope.grad_output
            message = f"`{scope.program.text(other_side)}` is multiplied in once too often"
            yield ("upstream-applied-twice" if twice else None), message, kept(side)


def signs(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A variable of the forward pass with the wrong sign in every sum of a line: the sine of a rotation."""
    if not isinstance(node, ast.Assign | ast.AugAssign | ast.Return):
        return
    for name in dict.fromkeys(name for inner in ast.walk(node) if _adds(inner) for name in names_read(inner)):
        if scope.names.get(name) and scope.part(name) not in scope.gradients:
            yield "wrong-sign", f"`{name}` has the wrong sign in `{scope.program.text(node)}`", _negated(name)


def _adds(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def _negated(name: str) -> Make:
    return _Negation(name).visit


class _Negation(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Name(self, node: ast.Name) -> ast.expr:
        mine = node.id == self.name and isinstance(node.ctx, ast.Load)
        return ast.UnaryOp(ast.USub(), node) if mine else node


def derivatives(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """What stands beside a gradient in a product of entries is an activation's derivative: another one, of its kind."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult) or not scope.curved:
        return
    for side, other in (("left", node.right), ("right", node.left)):
        shape, text = scope.shape_of(other), scope.program.text(other)
        if _is_gradient(getattr(node, side), scope) and not _is_gradient(other, scope) and shape:
            for name in [name for name, size in scope.names.items() if size == shape and name in scope.forward]:
                for form in ("{0} * (1 - {0})", "1 - {0} ** 2", "({0} > 0)", "{0}"):
                    right = form.format(name)
                    yield "derivative-of-activation-wrong", f"`{text}` is not the derivative; `{right}` is", (
                        _beside(side, right)
                    )  # fmt: skip


def _is_gradient(node: ast.expr, scope: Scope) -> bool:
    """Whether a gradient stands in it, or what a loss hands back: the difference of two tensors."""
    inside = [inner for inner in ast.walk(node) if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub)]
    differs = any(scope.shape_of(inner.left) and scope.shape_of(inner.right) for inner in inside)
    return differs or any(scope.part(name) in scope.gradients for name in names_read(node))


def _beside(side: str, right: str) -> Make:
    def make(node: Any) -> ast.expr:
        return ast.BinOp(_through_product(getattr(node, side), right), ast.Mult(), ast.parse(right, mode="eval").body)

    return make


def _through_product(node: Any, right: str) -> Any:
    """`da * z` of `da * z * (1 - z)`: the derivative may be spread over the product, and goes as a whole."""
    first = "*" in right and isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
    return node.left if first else node


def superfluous(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`(p - t) * p * (1 - p)`: the derivative of an activation that the gradient beside it has passed already."""
    factors = _factors_of(node)
    for number, factor in enumerate(factors) if len(factors) > 1 and scope.curved else ():
        match = _ONE_MINUS.fullmatch(ast.unparse(factor))
        beside = [ast.unparse(other) for other in factors]
        if match is None or not (match["power"] or match["name"] in beside):
            continue
        gone = {number} if match["power"] else {number, beside.index(match["name"])}
        rest = [text for at, text in enumerate(beside) if at not in gone]
        if rest:
            message = f"`{scope.program.text(node)}`: the derivative of `{match['name']}` is in the gradient already"
            yield "derivative-of-activation-wrong", message, _parsed(" * ".join(f"({text})" for text in rest))


_ONE_MINUS = re.compile(r"1(\.0)? - (?P<name>\w+)(?P<power> \*\* 2)?")


def _parsed(text: str) -> Make:
    return lambda _: ast.parse(text, mode="eval").body


def softmaxes(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`g * y * (1 - y)` where the whole Jacobian of a softmax is needed."""
    factors = _factors_of(node)
    ones = [f for f in factors if isinstance(f, ast.BinOp) and isinstance(f.op, ast.Sub)
            and isinstance(f.right, ast.Name) and ast.unparse(f.left) in ("1", "1.0")]  # fmt: skip
    if len(factors) < 3 or not ones:
        return
    y = ast.unparse(ones[0].right)
    rest = [ast.unparse(f) for f in factors if f is not ones[0]]
    if y in rest:
        rest.remove(y)
        g, keep = " * ".join(rest), "keepdims" if scope.numpy else "keepdim"
        right = f"{y} * ({g} - ({g} * {y}).sum(-1, {keep}=True))"
        message = f"`{scope.program.text(node)}` is only the diagonal of softmax's Jacobian"
        yield "softmax-diagonal-only", message, _parsed(right)


def _factors_of(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _factors_of(node.left) + _factors_of(node.right)
    return [node] if isinstance(node, ast.expr) else []


def averages(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A division by how often each entry is covered."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and scope.shape_of(node.right):
        counts = re.search(r"ones|count|overlap|divisor|norm", _definition(node.right, scope))
        message = f"`{scope.program.text(node)}` averages overlapping windows, which must add up"
        yield ("averaged-overlap" if counts else None), message, kept("left")


def _definition(node: ast.expr, scope: Scope) -> str:
    """The source of what a variable is assigned, for its words."""
    names = {*names_read(node)}
    lines = [ast.unparse(s) for s in scope.program.statements if isinstance(s, ast.Assign) and names & {
        t.id for t in s.targets if isinstance(t, ast.Name)}]  # fmt: skip
    return " ".join([ast.unparse(node), *lines])
