"""Kernels and windows: flipped, channels exchanged, the forward pass's own stride, padding and windows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from ..edits import Make, Scope
from ..program import copied
from .making import is_value, method, names_read


def flips(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A kernel flipped, or not, or along one of its axes only."""
    value = _flipped_operand(node)
    if value is not None:
        text = scope.program.text(node)
        yield "kernel-flipped", f"`{text}` is flipped where the scatter does it", _flipped_operand
        for axis in (-1, -2) if len(scope.shape_of(value) or ()) in (2, 4) else ():
            message = f"`{text}` is flipped along one of the kernel's axes only"
            yield "kernel-not-flipped", message, _flip((axis,), scope.numpy)
    shape = scope.shape_of(node)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and shape is not None and len(shape) in (2, 3, 4):
        message = f"`{node.id}` {shape} is correlated with as it is; here it must be flipped"
        yield "kernel-not-flipped", message, _flip((-1,) if len(shape) == 3 else (-2, -1), scope.numpy)


def flipped_indices(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`w[K - 1 - k]` for `w[k]` in a loop, and the reverse."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
        return
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    text = scope.program.text(node)
    if any(_backwards(item) for item in items):
        yield "kernel-flipped", f"`{text}` runs through the kernel backwards where the scatter does it", _indices(
            lambda item: item.right if isinstance(item, ast.BinOp) and _backwards(item) else item
        )  # fmt: skip
    for count in (1, 2):
        if len(items) >= count and all(isinstance(item, ast.Name) for item in items[-count:]):
            last = [ast.unparse(item) for item in items[-count:]]
            message = f"`{text}` runs through the kernel as it is; here it must run backwards"
            yield "kernel-not-flipped", message, _indices(_turned(last))


def _turned(names: list[str]) -> Callable[[ast.expr], ast.expr]:
    def turned(item: ast.expr) -> ast.expr:
        text = ast.unparse(item)
        return ast.parse(f"-1 - {text}", mode="eval").body if text in names else item

    return turned


def _backwards(item: ast.expr) -> bool:
    return isinstance(item, ast.BinOp) and isinstance(item.op, ast.Sub) and isinstance(item.right, ast.Name)


def _indices(change: Callable[[ast.expr], ast.expr]) -> Make:
    def make(node: Any) -> ast.expr:
        one = not isinstance(node.slice, ast.Tuple)
        items = [change(item) for item in ([node.slice] if one else node.slice.elts)]
        return ast.Subscript(node.value, items[0] if one else ast.Tuple(items, ast.Load()), node.ctx)

    return make


def _flip(axes: tuple[int, ...], numpy: bool) -> Make:
    if not numpy:
        return lambda node: method(node, "flip", *axes)
    index = "..., " + ", ".join("::-1" if axis in axes else ":" for axis in range(min(axes), 0))
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
    """A 4-D weight's channel axes exchanged, or its kernel axes; of grad_output these are height and width."""
    shape = scope.shape_of(node)
    if not is_value(node) or shape is None or len(shape) != 4:
        return
    swap = "swapaxes" if scope.numpy else "transpose"
    text = scope.program.text(node)
    yield "channels-swapped", f"the channel axes of {text} {shape} are needed exchanged", (
        lambda new: method(new, swap, 0, 1)
    )  # fmt: skip
    is_image = {scope.part(name) for name in names_read(node)} <= {scope.grad_output, scope.output}
    cause = "height-width-swapped" if is_image else "kernel-axes-transposed"
    yield cause, f"the last two axes of {text} {shape} are needed exchanged", (
        lambda new: method(new, swap, -1, -2)
    )  # fmt: skip


def geometry(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """stride, padding, dilation and groups as the forward pass has them."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    if not any(word in node.func.attr.lower() for word in ("conv", "fold")):
        return
    for wanted, value in scope.forward_keywords.items():
        there = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if there.get(wanted) != ast.unparse(value):
            message = f"`{scope.program.text(node)}` does not have the forward pass's {wanted}={ast.unparse(value)}"
            yield f"{wanted}-ignored", message, _with_keyword(wanted, value)
    if any(keyword.arg in _EXCHANGED for keyword in node.keywords):
        message = f"in `{scope.program.text(node)}` stride and dilation must be exchanged for a weight gradient"
        yield "stride-dilation-swapped", message, _exchanged


_EXCHANGED = {"stride": "dilation", "dilation": "stride"}


def _exchanged(node: Any) -> ast.expr:
    keywords = [ast.keyword(_EXCHANGED.get(keyword.arg, keyword.arg), keyword.value) for keyword in node.keywords]
    return ast.Call(node.func, node.args, keywords)


def _with_keyword(name: str, value: ast.expr) -> Make:
    def make(node: Any) -> ast.expr:
        kept = [keyword for keyword in node.keywords if keyword.arg != name]
        return ast.Call(node.func, node.args, [*kept, ast.keyword(name, value)])

    return make


def windows(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """The window that a loop of the forward pass reads, where a loop of the backward pass has another."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
        return
    mine = ast.unparse(node.slice)
    for there in scope.windows:
        text = ast.unparse(there)
        if text != mine and len(there.elts) == len(node.slice.elts) and ":" in mine and set(names_read(node.slice)) <= {
            *names_read(there), *names_read(node.slice)
        } and _windows(there) == _windows(node.slice):  # fmt: skip
            cause = "stride-ignored" if "*" in text and "*" not in mine else None
            message = f"`{scope.program.text(node)}` is not the window `[{text[1:-1]}]` that the forward pass reads"
            yield cause, message, _indexed(there)


def _windows(index: ast.Tuple) -> list[bool]:
    return [isinstance(item, ast.Slice) and item.lower is not None for item in index.elts]


def _indexed(index: ast.Tuple) -> Make:
    return lambda node: ast.Subscript(node.value, copied(index), node.ctx)
