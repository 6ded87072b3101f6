"""Sums over the wrong axes, averages, and reshapes that need a permutation."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from ..edits import Make, Scope
from .making import attribute, method


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
            if name == "mean" or node.keywords:  # the same call, over other axes
                yield "wrong-reduction-axes", message.replace("sums", "reduces"), _over(axes, static)


def picks(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`dy.sum(0)[:, 0]`: one index of an axis that must be summed over."""
    shape = scope.shape_of(node.value) if isinstance(node, ast.Subscript) else None
    if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load) or not shape:
        return
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    picked = [axis for axis, item in enumerate(items) if _is_number(item)]
    if picked and len(items) <= len(shape) and all(_is_number(item) or _is_whole(item) for item in items):
        message = f"`{scope.program.text(node)}` takes one index where axes {tuple(picked)} of {shape} must be summed"
        yield "wrong-reduction-axes", message, _summed_instead(picked)


def _is_number(item: ast.expr) -> bool:
    return isinstance(item, ast.Constant | ast.UnaryOp) and ast.unparse(item).lstrip("-").isdigit()


def _is_whole(item: ast.expr) -> bool:
    return ast.unparse(item) == ":"


def _summed_instead(axes: list[int]) -> Make:
    return lambda node: method(node.value, "sum", tuple(axes) if len(axes) > 1 else axes[0])


def _over(axes: tuple[int, ...], static: bool) -> Make:
    """`mean(x, 1, keepdims=True)` for `mean(x, 0, keepdims=True)`."""
    axis = ast.parse(repr(axes if len(axes) > 1 else axes[0]), mode="eval").body

    def make(node: Any) -> ast.expr:
        kept = [keyword for keyword in node.keywords if keyword.arg not in ("axis", "dim")]
        return ast.Call(node.func, [*node.args[: int(static)], axis], kept)

    return make


def _renamed(method: str) -> Make:
    return lambda node: ast.Call(attribute(node.func.value, method), node.args, node.keywords)


def _summed(axes: tuple[int, ...], static: bool) -> Make:
    return lambda node: method(node.args[0] if static else node.func.value, "sum", axes if len(axes) > 1 else axes[0])


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
        attribute(method(node.func.value, permute, *axes), "reshape"), node.args, node.keywords
    )


def _permuted_after(axes: tuple[int, ...], permute: str) -> Make:
    back = [axes.index(i) for i in range(len(axes))]

    def make(node: Any) -> ast.expr:
        sizes = node.args if len(node.args) > 1 else node.args[0].elts
        return method(ast.Call(node.func, [sizes[i] for i in axes], node.keywords), permute, *back)

    return make


def tiles(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`np.tile(dy, (1, 2))`, `dy.repeat(1, 2)`: whole copies side by side where each entry must be repeated."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    numpy = node.func.attr == "tile" and len(node.args) == 2
    if not numpy and (node.func.attr not in ("tile", "repeat") or scope.numpy):
        return
    value, counts = _tiled(node, numpy)
    if counts and len(counts) == len(scope.shape_of(value) or ()):
        message = f"`{scope.program.text(node)}` lays copies side by side where each entry must be repeated"
        yield "reshape-instead-of-permute", message, _each_repeated(numpy)


def _tiled(node: Any, numpy: bool) -> tuple[ast.expr, list[ast.expr]]:
    """What is laid side by side, and how often along each axis."""
    value, counts = (node.args[0], node.args[1:]) if numpy else (node.func.value, node.args)
    return value, counts[0].elts if counts and isinstance(counts[0], ast.Tuple | ast.List) else counts


def _each_repeated(numpy: bool) -> Make:
    def make(node: Any) -> ast.expr:
        made, counts = _tiled(node, numpy)
        for axis, count in enumerate(counts):
            if ast.unparse(count) != "1":
                name = "repeat" if numpy else "repeat_interleave"
                made = ast.Call(attribute(made, name), [count, ast.Constant(axis)], [])
        return made

    return make
