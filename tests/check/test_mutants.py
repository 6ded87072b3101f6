"""A few mutants of correct programs: every name that has an equation satisfies it, and the figures are as they were."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mutants import changed, judged, sources
from mutating import mutations

PROGRAMS = ("np_class_dense_01", "fn_embed_02", "fn_conv1d_02", "np_pair_loss_01", "pair_softmax_01", "fn_relu_02")
SOURCE = """
def backward(g, x, w):
    dx = g @ w.T
    return dx, x.T @ g
"""


def test_one_thing_changes_at_a_time() -> None:
    found = {(m.kind, m.after) for m in mutations(SOURCE)}
    assert {
        ("operands swapped", "dx = w.T @ g"),
        ("transpose removed", "dx = g @ w"),
        ("transpose inserted", "dx = g.T @ w.T"),
        ("another name", "dx = x @ w.T"),
        ("sign", "dx = -(g @ w.T)"),
        ("return order", "return (x.T @ g, dx)"),
        ("return count", "return (dx,)"),
    } <= found
    assert all(ast.dump(ast.parse(m.source)) != ast.dump(ast.parse(SOURCE)) for m in mutations(SOURCE))


def test_a_script_keeps_its_forward() -> None:
    script = "x = 2.0\ny = x * 3.0\ng = y - 1.0\ndx = g * 3.0\n"
    assert {m.before for m in mutations(script, kept=("g",), after="y")} == {"dx = g * 3.0"}


def test_mutations_come_in_one_order() -> None:
    entry = next(one for one in sources() if one.name == "np_class_dense_01")
    assert changed(entry) == changed(entry)


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_name_contradicts_its_equation(name: str, tmp_path: Path) -> None:
    entry = next(one for one in sources() if one.name == name)
    found = list(judged(entry, 4, tmp_path))
    assert found
    assert not [str(one) for one in found if one.judged not in ("proven", "unexplained", "read")]
