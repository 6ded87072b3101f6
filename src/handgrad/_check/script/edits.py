"""Edits of somebody's own gradient code: each undoes one slip, at one place.

A rule looks at one node of the syntax tree and yields the edits it knows there. What an edit is worth is found out by
running it, so a rule need not be sure of anything.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .program import Program, copied
from .suspicion import Shape, product_operands, reversed_operand

Make = Callable[[Any], ast.AST | None]


@dataclass(frozen=True)
class Edit:
    """Replace node `number` (in the order of `ast.walk`) of statement `statement` by what `make` makes of it."""

    statement: int
    number: int
    cause: str | None  # None where the vocabulary has no word
    message: str
    make: Make = field(compare=False)
    line: int = 0
    column: int = 0
    rank: int = 0  # of the rule: the more specific ones come first


@dataclass(frozen=True)
class Scope:
    """What the rules may know: which variable plays which part, and shapes at the script's own sizes."""

    program: Program
    output: str
    grad_output: str | None
    names: Mapping[str, Shape]  # the tensors that may stand in the gradient
    inputs: frozenset[str]  # data and weights: what the output is made of
    forward_keywords: Mapping[str, Mapping[str, ast.expr]]  # of calls in the forward pass, by the function's last name
    masks: bool  # whether the forward pass has an activation that cuts off
    numpy: bool
    shape_of: Callable[[ast.AST], Shape | None]
    stands_for: Mapping[str, str] = field(default_factory=dict)  # parameters of the script's functions
    gradients: frozenset[str] = frozenset()  # grad_output, and what the backward pass makes

    def part(self, name: str) -> str:
        """A variable by the name that the script gives it outside of functions."""
        return self.stands_for.get(name, name)


Rule = Callable[[ast.AST, Scope], Iterable[tuple[str | None, str, Make]]]


def edits_of(statements: Sequence[tuple[int, ast.stmt]], scope: Scope) -> list[Edit]:
    """Every edit that a rule knows, in the order of the code."""
    found = []
    for index, statement in statements:
        for number, node in enumerate(ast.walk(statement)):
            for rank, rule in enumerate(RULES):
                for cause, message, make in rule(node, scope):
                    line, column = getattr(node, "lineno", statement.lineno), getattr(node, "col_offset", 0) + 1
                    found.append(Edit(index, number, cause, message, make, line, column, rank))
    return found


def edited(statement: ast.stmt, edits: Iterable[Edit]) -> ast.stmt:
    """The statement with the edits made, inner ones first."""
    new = copied(statement)
    nodes = list(ast.walk(new))
    by_node: dict[int, list[Edit]] = {}
    for edit in edits:
        by_node.setdefault(id(nodes[edit.number]), []).append(edit)
    result: ast.stmt = _Editor(by_node).visit(new)
    return result if result is not None else ast.copy_location(ast.Pass(), statement)


class _Editor(ast.NodeTransformer):
    def __init__(self, by_node: Mapping[int, list[Edit]]) -> None:
        self.by_node = by_node

    def visit(self, node: ast.AST) -> Any:
        edits = self.by_node.get(id(node), [])
        new: Any = self.generic_visit(node)
        for edit in edits:
            new = edit.make(new)
            if new is None:
                return ast.copy_location(ast.Pass(), node) if isinstance(node, ast.stmt) else node
        return ast.fix_missing_locations(ast.copy_location(new, node))


def _attribute(value: Any, name: str) -> ast.expr:
    return ast.Attribute(value, name, ast.Load())


def _method(value: Any, name: str, *arguments: Any) -> ast.expr:
    return ast.Call(_attribute(value, name), [ast.parse(repr(a), mode="eval").body for a in arguments], [])


def _is_value(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Load)


def reversed_axes(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`.T` beyond matrices: the last two axes, or none."""
    value = reversed_operand(node)
    shape = scope.shape_of(value) if value is not None else None
    if value is None or shape is None or len(shape) < 3:
        return
    text = scope.program.text(value)
    message = f"`{scope.program.text(node)}` reverses all {len(shape)} axes of {text} {shape}; `.mT` exchanges the last two"
    yield "reversed-axes", message, lambda new: _attribute(reversed_operand(new), "mT")


def transposition(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A matrix transposed that should not be, or the reverse."""
    value = transposed_operand(node)
    if value is not None and (reversed_operand(node) is None or len(scope.shape_of(value) or ()) == 2):
        yield "transposed", f"`{scope.program.text(node)}` is transposed where {scope.program.text(value)} fits", (
            transposed_operand
        )  # fmt: skip
        if isinstance(node, ast.Call) and len(scope.shape_of(value) or ()) > 2:
            message = f"`{scope.program.text(node)}` exchanges other axes than the last two"
            yield "transposed", message, lambda new: _attribute(transposed_operand(new), "mT")
        return
    shape = scope.shape_of(node)
    if _is_value(node) and shape is not None and len(shape) in (2, 3):
        word = "T" if len(shape) == 2 else "mT"
        text = scope.program.text(node)
        yield "transposed", f"{text} {shape} is needed transposed", lambda new: _attribute(new, word)


def transposed_operand(node: ast.AST) -> ast.expr | None:
    """What `x.T`, `x.mT`, `x.t()`, `x.transpose(a, b)`, `x.swapaxes(a, b)` transpose."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "t" and not node.args:
            return node.func.value
        if node.func.attr in ("transpose", "swapaxes") and len(node.args) == 2:
            return node.func.value
    return reversed_operand(node)


def operand_order(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """The factors of a matrix product the other way round."""
    operands = product_operands(node)
    if operands is None:
        return
    left, right = (scope.program.text(operand) for operand in operands)
    shapes = tuple(scope.shape_of(operand) for operand in operands)
    message = f"`{left}` {shapes[0] or ''} and `{right}` {shapes[1] or ''} are multiplied in the wrong order"
    yield "wrong-operand-order", message, _swapped


def _swapped(node: Any) -> ast.expr:
    if isinstance(node, ast.BinOp):
        return ast.BinOp(node.right, node.op, node.left)
    if len(node.args) == 2:
        return ast.Call(node.func, node.args[::-1], node.keywords)
    return ast.Call(_attribute(node.args[0], node.func.attr), [node.func.value], node.keywords)


def operand(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """Another variable of the same shape."""
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    shape = scope.shape_of(node)
    if shape is None:
        return
    for name, other in scope.names.items():
        if name != node.id and scope.part(name) != scope.part(node.id) and other == shape:
            message = f"`{node.id}` {shape} stands where `{name}` belongs"
            yield _operand_cause(node.id, name, scope), message, _named(name)


def _named(name: str) -> Make:
    return lambda node: ast.Name(name, ast.Load())


def _operand_cause(used: str, right: str, scope: Scope) -> str | None:
    if scope.part(right) != scope.grad_output:
        return None
    if scope.part(used) == scope.output:
        return "output-instead-of-grad-output"
    return "input-instead-of-grad-output" if scope.part(used) in scope.inputs else None


def mask(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """The mask of an activation, `· (h > 0)`, where the forward pass has one."""
    if not scope.masks or not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    shape = scope.shape_of(node)
    for name, other in scope.names.items():
        if other == shape and scope.part(name) not in scope.gradients:
            message = f"`{node.id}` passes an activation whose mask `{name} > 0` is not applied"
            yield "mask-missing", message, _masked(name)


def _masked(name: str) -> Make:
    test = ast.parse(f"({name} > 0)", mode="eval").body
    return lambda node: ast.BinOp(node, ast.Mult(), copied(test))


def compared(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """Another variable in a mask."""
    if not isinstance(node, ast.Compare) or not isinstance(node.left, ast.Name):
        return
    used, shape = node.left.id, scope.shape_of(node.left)
    for name, other in scope.names.items():
        if name != used and other == shape:
            cause = "mask-from-gradient" if scope.part(used) in scope.gradients else "mask-from-wrong-tensor"
            yield cause, f"the mask is made from `{used}` where `{name}` belongs", _compare(name)


def _compare(name: str) -> Make:
    return lambda node: ast.Compare(ast.Name(name, ast.Load()), node.ops, node.comparators)


def flips(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A kernel flipped, or not."""
    value = _flipped_operand(node)
    if value is not None:
        yield "kernel-flipped", f"`{scope.program.text(node)}` is flipped where the scatter does it", _flipped_operand
    shape = scope.shape_of(node)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and shape is not None and len(shape) in (3, 4):
        axes = (-1,) if len(shape) == 3 else (-2, -1)
        message = f"`{node.id}` {shape} is correlated with as it is; here it must be flipped"
        yield "kernel-not-flipped", message, _flip(axes, scope.numpy)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and shape is not None and len(shape) == 2:
        message = f"`{node.id}` {shape} is correlated with as it is; here it must be flipped"
        yield "kernel-not-flipped", message, _flip((-2, -1), scope.numpy)


def _flip(axes: tuple[int, ...], numpy: bool) -> Make:
    if not numpy:
        return lambda node: _method(node, "flip", *axes)
    index = "..., " + ", ".join("::-1" for _ in axes)
    subscript = ast.parse(f"x[{index}]", mode="eval").body
    return lambda node: ast.Subscript(node, copied(subscript.slice), ast.Load())  # type: ignore[attr-defined]


def _flipped_operand(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.Subscript) and "::-1" in ast.unparse(node.slice):
        return node.value
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).split(".")
        if name[-1] in ("flip", "rot90", "flipud", "fliplr"):
            return node.args[0] if name[0] in ("np", "numpy", "torch") else node.func.value  # type: ignore[attr-defined]
    return None


def channels(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A 4-D weight's channel axes exchanged, or its kernel axes."""
    shape = scope.shape_of(node)
    if not _is_value(node) or shape is None or len(shape) != 4:
        return
    swap = "swapaxes" if scope.numpy else "transpose"
    text = scope.program.text(node)
    yield "channels-swapped", f"the channel axes of {text} {shape} are needed exchanged", (
        lambda new: _method(new, swap, 0, 1)
    )  # fmt: skip
    yield "kernel-axes-transposed", f"the last two axes of {text} {shape} are needed exchanged", (
        lambda new: _method(new, swap, -1, -2)
    )  # fmt: skip


def geometry(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """stride, padding, dilation and groups as the forward pass has them."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    family = node.func.attr.lower().replace("_transpose", "").replace("unfold", "fold")
    for wanted in scope.forward_keywords.get(family, {}):
        value = scope.forward_keywords[family][wanted]
        there = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if there.get(wanted) != ast.unparse(value):
            message = f"`{scope.program.text(node)}` does not have the forward pass's {wanted}={ast.unparse(value)}"
            yield f"{wanted}-ignored", message, _with_keyword(wanted, value)


def _with_keyword(name: str, value: ast.expr) -> Make:
    def make(node: Any) -> ast.expr:
        kept = [keyword for keyword in node.keywords if keyword.arg != name]
        return ast.Call(node.func, node.args, [*kept, ast.keyword(name, value)])

    return make


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
            yield cause, message, _kept(keep)


def _kept(side: str) -> Make:
    return lambda node: getattr(node, side)


def reductions(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """mean for sum, and a sum over other axes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    name, text = node.func.attr, scope.program.text(node)
    if name == "mean":
        yield "mean-instead-of-sum", f"`{text}` averages where the derivative is a sum", _renamed("sum")
    if name not in ("sum", "mean"):
        return
    static = isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "numpy", "torch")
    value = node.args[0] if static and node.args else node.func.value
    shape = scope.shape_of(value)
    if shape is None:
        return
    for count in range(1, len(shape)):
        for axes in itertools.combinations(range(len(shape)), count):
            message = f"`{text}` sums {scope.program.text(value)} {shape} over the wrong axes; {axes} are right"
            yield "wrong-reduction-axes", message, _summed(axes, static)


def _renamed(method: str) -> Make:
    return lambda node: ast.Call(_attribute(node.func.value, method), node.args, node.keywords)


def _summed(axes: tuple[int, ...], static: bool) -> Make:
    return lambda node: _method(node.args[0] if static else node.func.value, "sum", axes if len(axes) > 1 else axes[0])


def memory_order(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A reshape that needs its axes permuted, before or after."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    if node.func.attr not in ("reshape", "view") or not node.args:
        return
    static = isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "numpy", "torch")
    shape = scope.shape_of(node.args[0] if static else node.func.value)
    message = f"`{scope.program.text(node)}` takes the memory order of {shape} for the order of axes"
    permute = "transpose" if scope.numpy else "permute"
    if shape is not None and 2 < len(shape) < 5 and not static:
        for axes in list(itertools.permutations(range(len(shape))))[1:]:
            yield "reshape-instead-of-permute", message, _permuted_before(axes, permute)
    sizes = node.args if len(node.args) > 1 else getattr(node.args[0], "elts", [])
    if 2 < len(sizes) < 5 and not static:
        for axes in list(itertools.permutations(range(len(sizes))))[1:]:
            yield "reshape-instead-of-permute", message, _permuted_after(axes, permute)


def _permuted_before(axes: tuple[int, ...], permute: str) -> Make:
    return lambda node: ast.Call(
        _attribute(_method(node.func.value, permute, *axes), "reshape"), node.args, node.keywords
    )


def _permuted_after(axes: tuple[int, ...], permute: str) -> Make:
    back = [axes.index(i) for i in range(len(axes))]

    def make(node: Any) -> ast.expr:
        sizes = node.args if len(node.args) > 1 else node.args[0].elts
        return _method(ast.Call(node.func, [sizes[i] for i in axes], node.keywords), permute, *back)

    return make


def accumulation(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`=` in a loop, where `+=` is needed."""
    if not isinstance(node, ast.For):
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign) and len(inner.targets) == 1:
            target = ast.unparse(inner.targets[0])
            message = f"`{scope.program.text(inner)}` overwrites in a loop what it must add up"
            yield "overwrite-instead-of-accumulate", message, _accumulating(target)


def _accumulating(target: str) -> Make:
    def make(loop: Any) -> ast.AST:
        new = _Accumulator(target).visit(loop)
        if not target.isidentifier():
            return new  # type: ignore[no-any-return]
        zero = ast.parse(f"{target} = 0").body
        return ast.If(ast.Constant(True), [*zero, new], [])

    return make


class _Accumulator(ast.NodeTransformer):
    def __init__(self, target: str) -> None:
        self.target = target

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if len(node.targets) != 1 or ast.unparse(node.targets[0]) != self.target:
            return node
        return ast.copy_location(ast.AugAssign(node.targets[0], ast.Add(), node.value), node)  # type: ignore[arg-type]


def terms(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A sum for a difference, a term or a factor too many."""
    if not isinstance(node, ast.BinOp):
        return
    text = scope.program.text(node)
    if isinstance(node.op, ast.Add | ast.Sub):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield "wrong-sign", f"`{text}` has the wrong sign", lambda new: ast.BinOp(new.left, other, new.right)
        weights = [name for name in _read(node.right) if scope.part(name) in scope.inputs]
        message = f"`{scope.program.text(node.right)}` is not part of the derivative"
        yield ("regularizer-included" if weights else None), message, _kept("left")
    if isinstance(node.op, ast.Mult):
        for side, other_side in (("left", node.right), ("right", node.left)):
            twice = isinstance(other_side, ast.Name) and scope.part(other_side.id) == scope.grad_output
            message = f"`{scope.program.text(other_side)}` is multiplied in once too often"
            yield ("upstream-applied-twice" if twice else None), message, _kept(side)


def _read(node: ast.AST) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]


def update(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A weight that is stepped before its old value is used."""
    target = getattr(node, "target", None) or (getattr(node, "targets", None) or [None])[0]
    if isinstance(node, ast.Assign | ast.AugAssign) and isinstance(target, ast.Name) and target.id in scope.inputs:
        message = f"`{scope.program.text(node)}` changes `{target.id}` before the gradient has used it"
        yield "updated-weight", message, lambda _: None


RULES: tuple[Rule, ...] = (
    reversed_axes, operand_order, operand, accumulation, geometry, reductions, factors, update, compared, mask,
    memory_order, channels, flips, transposition, terms,
)  # fmt: skip
