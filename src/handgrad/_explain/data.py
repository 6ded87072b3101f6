"""A trace as JSON: every number, or, for the page, those that it shows."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from .._geometry import Ints
from .compare import Compared
from .numbers import number
from .sections import sections
from .sentence import agreement, formulas, sentence
from .trace import Trace
from .view import View, example


def to_json(trace: Trace) -> str:
    """Configuration, axes, every tensor with its letters, and the check against PyTorch."""
    tensors = {name: View(box, tuple(map(tuple, box.ranges))) for name, box in trace.boxes.items()}
    return json.dumps(
        facts(trace) | {"tensors": {name: tensor(view) for name, view in tensors.items()}}, ensure_ascii=False
    )


def facts(trace: Trace) -> dict[str, Any]:
    """Everything but the tensors."""
    return {
        "title": trace.title,
        "sentence": sentence(trace),
        "operation": trace.operation,
        "transposed": trace.transposed,
        "groups": trace.geometry.groups,
        "padding_mode": trace.padding_mode,
        "output_padding": list(trace.output_padding),
        "output_size": formulas(trace),
        "agreement": agreement(trace),
        "errors": {name: _value(worst) for name, worst in trace.errors.items()},
        "roles": vars(trace.roles),
        "axes": [vars(axis) for axis in trace.axes],
        "sections": [
            {"result": part.result, "formula": part.formula, "product": part.product} for part in sections(trace)
        ],
    }


def page_data(trace: Trace, shown: dict[str, View]) -> dict[str, Any]:
    """What the page's script needs: the facts, the tensors as far as they are shown, and where each section begins."""
    return facts(trace) | {
        "tensors": {name: tensor(view) for name, view in shown.items()},
        "examples": {part.result: list(example(trace, part.result, shown)) for part in sections(trace)},
        "compared": {name: _compared(claim) for name, claim in trace.compared.items() if claim.wrong is not None},
    }


def tensor(view: View) -> dict[str, Any]:
    """A tensor as far as it is shown: its positions on each axis, and the entries there, the last axis fastest."""
    return {
        "symbol": view.box.symbol,
        "letters": list(view.box.letters),
        "words": list(view.box.words),
        "shape": list(view.box.shape),
        "positions": [_positions(axis) for axis in view.shown],
        "values": [_value(value) for value in view.values()],
    }


def _compared(claim: Compared) -> dict[str, Any]:
    """What is claimed, and what is known of how it came about."""
    values = [_value(value) for value in claim.values.flatten().tolist()]
    wrong = [] if claim.wrong is None else [int(wrong) for wrong in claim.wrong.flatten().tolist()]
    return {"values": values, "wrong": wrong, "moved": claim.moved, "samples": claim.samples}


def _positions(axis: Ints) -> list[int]:
    return list(axis)


def _value(value: float) -> int | float | str:
    """A whole number as one; what JSON has no word for as text."""
    if not isfinite(value):
        return number(value)
    return int(value) if value == int(value) and abs(value) < 2**53 else value
