"""Flat scripts: run as they are, with one value replaced right after the line that makes it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .play import Array, Play, array, like, quiet, seed
from .table import Entry


def play_script(entry: Entry) -> Play:
    """The script's run. What `--wrt` names are its values, and the arrays it claims their gradients."""
    wrt = dict(text.split("=") for text in entry.options("wrt"))
    code, values = compile(_hooked(entry, list(wrt)), str(entry.path), "exec"), {}

    def run(changed: Mapping[str, Array]) -> dict[str, Any]:
        def hook(name: str, value: Any) -> Any:
            values.setdefault(name, array(value))
            return like(value, np.array(changed[name])) if name in changed else value  # scripts update in place

        return _run(code, {"__hook__": hook})

    space = run({})
    gradients = {name: array(space[gradient]) for name, gradient in wrt.items()}
    output, g = entry.options("output")[0], entry.options("grad-output")[0]
    return Play(entry, values, array(space[output]), array(space[g]), gradients, lambda new: array(run(new)[output]))


def _run(code: Any, space: dict[str, Any]) -> dict[str, Any]:
    seed(0)
    torch.set_default_dtype(torch.float64)
    try:
        with quiet():
            exec(code, space)
    finally:
        torch.set_default_dtype(torch.float32)
    return space


def _hooked(entry: Entry, names: list[str]) -> ast.Module:
    """The script with `name = __hook__("name", name)` after the first top-level line that binds each name."""
    tree = ast.parse(entry.path.read_text())
    for name in names:
        position = next(i for i, line in enumerate(tree.body) if name in _bound(line))
        tree.body[position + 1 : position + 1] = ast.parse(f"{name} = __hook__({name!r}, {name})").body
    return tree


def _bound(line: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(line) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
