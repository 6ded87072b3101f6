"""The lines to copy run, alone, and give what autograd gives: every form of every result."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from explain_cases import SMALL, traced

from cases import Case
from handgrad._explain.code import setup, snippets
from oracles import assert_equal, gradients


@pytest.mark.parametrize("case", SMALL)
def test_every_snippet_computes_its_result(case: Case) -> None:
    trace = traced(case)
    names: dict[str, Any] = {}
    exec(setup(trace), names)
    if "torch.randn" in setup(trace):
        names |= {trace.boxes[name].symbol: trace[name] for name in ("input", "weight", "bias", "grad_output")}
    x, w, b, dy = (trace[name] for name in ("input", "weight", "bias", "grad_output"))
    grads = gradients(case.framework, (x, w, b), dy)
    truth = dict(
        zip(("output", "grad_input", "grad_weight", "grad_bias"), (case.framework(x, w, b), *grads), strict=True)
    )
    for result, right in truth.items():
        given = dict(names)
        for form, code in snippets(trace, result).items():
            if form == "loops" and trace["weight"].numel() * trace["columns"].shape[2] * len(x) > 1500:
                continue  # too many numbers for a loop
            run = names.copy() if form != "einsum" else given
            exec(compile(code, f"{result} {form}", "exec"), run)
            given = run if form == "columns" else given
            assert_equal(run[trace.boxes[result].symbol], right)


def test_many_numbers_are_not_written_out() -> None:
    from handgrad import explain

    many, few = setup(explain((1, 1, 28, 28), (1, 1, 3, 3))), setup(explain((1, 1, 4, 4), (1, 1, 3, 3)))
    assert "x = torch.randn(1, 1, 28, 28, dtype=torch.float64)  # input" in many
    assert "x = torch.tensor([[[[" in few
    assert torch.equal(_ran(few)["x"], explain((1, 1, 4, 4), (1, 1, 3, 3))["input"])


def _ran(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(code, names)
    return names
