"""What a backward pass as it is written tells where values cannot: two slips that give the same gradient."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Reading:
    """What was seen in the statements of a backward pass."""

    flips: bool  # it reverses a kernel: `w.flip(2)`, `w[::-1]`, `w[K - 1 - k]`, or where a window is added
    scatters: bool  # it adds up windows: fold, `dx[i:i + k] += …`
    correlates: bool  # by a library's convolve or correlate, where a flip is part of the call
    crops: bool  # it has a padded image, or takes the first corner of something
    overwrites: bool  # a name is assigned to twice, the second time without what it was
    straight: bool  # every line of it runs once: no loop, nothing called that may have one, nothing written in parts


@lru_cache(maxsize=64)
def read(code: str) -> Reading:
    """The reading of statements; of code that is not there nothing is seen."""
    nodes = list(ast.walk(ast.parse(code)))
    counters = {
        name.id for node in nodes if isinstance(node, ast.For | ast.comprehension) for name in _names(node.target)
    }
    calls = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
    return Reading(
        flips=any(_flips(node, counters) for node in nodes),
        scatters=any(map(_adds_up, calls)) or any(_adds_a_window(node) for node in nodes),
        correlates=any("convolve" in name or "correlate" in name for name in calls),
        overwrites=_overwrites(nodes),
        straight=bool(code) and not any(map(_may_loop, nodes)),
        crops=any(word in code for word in _PADDED) or any(map(_keeps_a_corner, nodes)),
    )


_PADDED = ("pad(", "2 * ", " * 2", "padded", "_pad", "_p[")


def _items(node: ast.Subscript) -> list[ast.expr]:
    """The index of each axis."""
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Name))


def _flips(node: ast.AST, counters: set[str]) -> bool:
    """Whether a node is a reversed kernel, or the window that a reversed kernel is added to."""
    if isinstance(node, ast.Call):
        function = node.func
        if not isinstance(function, ast.Attribute) or not any(word in function.attr for word in ("flip", "rot90")):
            named = isinstance(function, ast.Name) and any(word in function.id for word in ("flip", "rot"))
            return named and bool(node.args) and _is_kernel(node.args[0])
        library = isinstance(function.value, ast.Name) and function.value.id in ("np", "numpy", "torch")
        return _is_kernel(node.args[0]) if library and node.args else _is_kernel(function.value)
    if isinstance(node, ast.Subscript) and (_is_kernel(node.value) or isinstance(node.ctx, ast.Store)):
        return any(_runs_backwards(item, counters) for item in _items(node))
    return False


def _is_kernel(node: ast.expr) -> bool:
    """Whether something is named like a kernel: w…, k…, f… for weight, kernel, filter; h, as in signal processing."""
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else _keyed(node)
        if isinstance(node, ast.Attribute) and node.attr in _LAYOUT:  # w.transpose(0, 1)
            node = node.value
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", getattr(node, "value", ""))
    return name == "h" or str(name).lower().lstrip("_").startswith(("w", "k", "f"))


_LAYOUT = ("transpose", "swapaxes", "permute", "reshape", "view", "contiguous", "t")


def _keyed(node: ast.Subscript) -> ast.expr:
    """What is subscripted, or the name it goes by in a dictionary: `params["W"]`."""
    key = node.slice
    return key if isinstance(key, ast.Constant) and isinstance(key.value, str) else node.value


def _runs_backwards(item: ast.expr, counters: set[str]) -> bool:
    """`::-1`, or an index in which the only counter of a loop has a minus: `K - 1 - k`, `-k - 1`, `~k`."""
    if isinstance(item, ast.Slice):
        parts = [part for part in (item.lower, item.upper) if part is not None]
        reversed_step = item.step is not None and ast.unparse(item.step) == "-1"
        return reversed_step or (bool(parts) and all(_signs(part, counters) == [-1] for part in parts))
    return _signs(item, counters) == [-1]


def _signs(node: ast.expr, counters: set[str], sign: int = 1) -> list[int]:
    """The sign with which each counter of a loop stands in a sum."""
    if isinstance(node, ast.BinOp):
        right = -sign if isinstance(node.op, ast.Sub) else sign
        return _signs(node.left, counters, sign) + _signs(node.right, counters, right)
    if isinstance(node, ast.UnaryOp):
        return _signs(node.operand, counters, sign if isinstance(node.op, ast.UAdd) else -sign)
    return [sign] if isinstance(node, ast.Name) and node.id in counters else []


def _may_loop(node: ast.AST) -> bool:
    """A loop, a function of the file's own, `dx[places] = …`: where something may be overwritten."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name.startswith("self.") or (name.isidentifier() and not hasattr(builtins, name))
    written = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
    return written or isinstance(node, ast.For | ast.While | ast.comprehension)


def _overwrites(nodes: list[ast.AST]) -> bool:
    """Whether `dw = …` stands twice, and the second does not mention dw; None is nothing to be overwritten."""
    seen: set[str] = set()
    for node in nodes:
        for target, value in _assigned(node):
            if target in seen and all(one.id != target for one in _names(value)):
                return True
            if not (isinstance(value, ast.Constant) and value.value is None):
                seen.add(target)
    return False


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement gives a value, also several at once, as in `dw, db = 0, 0`."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return
    target, value = node.targets[0], node.value
    pairs: Iterable[tuple[ast.expr, ast.expr]] = [(target, value)]
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
    yield from ((one.id, other) for one, other in pairs if isinstance(one, ast.Name))


def _adds_up(function: str) -> bool:
    """Whether a function is one that adds windows up: `F.fold`, `col2im`, `conv_transpose2d`, `np.add.at`."""
    words = ("fold", "col2im", "conv_transpose", "add.at", "index_add", "scatter_add")
    return any(word in function for word in words) and "unfold" not in function


def _adds_a_window(node: ast.AST) -> bool:
    """`dx[:, i:i + k] += …` or `dx[i + k] += …`, also written out."""
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Add) and _is_window(node.target)
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.BinOp):
        return False
    return _is_window(node.targets[0]) and ast.unparse(node.targets[0]) in ast.unparse(node.value)


def _is_window(target: ast.expr) -> bool:
    """Whether places are counted from where a window begins: `i : i + k`, `i + k`."""
    return isinstance(target, ast.Subscript) and any(
        isinstance(item, ast.BinOp) or (isinstance(item, ast.Slice) and item.lower is not None)
        for item in _items(target)
    )


def _keeps_a_corner(node: ast.AST) -> bool:
    """`dx[:, :, :H, :W]`, `dx[:, :, 0:8, 0:8]`."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
        return False
    slices = [item for item in _items(node) if isinstance(item, ast.Slice) and item.upper is not None]
    return any(item.lower is None or ast.unparse(item.lower) == "0" for item in slices)
