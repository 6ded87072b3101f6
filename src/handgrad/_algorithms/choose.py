"""Which algorithm runs: the cheapest that can, the one that was asked for, or the winner of a race."""

from __future__ import annotations

import torch
from torch import Tensor

from .._errors import HandgradError, error
from .._geometry import ConvGeometry
from . import costs, measured
from .modules import readable, refusal
from .setting import Setting


def choose(where: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, setting: Setting) -> str:
    """The name of the algorithm that computes `op` of these operands; raise, worded for `where`, if there is none."""
    # on a GPU, and where tensors are traced or wrapped, a race would tell nothing
    if setting.algorithm == "measured" and readable(a, b):
        return measured.winner(op, a, b, geometry, setting.allowed)
    if setting.algorithm in ("auto", "measured"):
        return _cheapest(where, op, a, b, geometry, setting)
    if refusal(setting.algorithm, op, a, b, geometry):
        raise _cannot(where, op, a, b, geometry, setting)
    return setting.algorithm


def by_cost(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, setting: Setting) -> dict[str, float]:
    """The algorithms that may run and what each should cost, in seconds; the cheapest first."""
    threads = 1 if setting.deterministic else torch.get_num_threads()  # their number must not decide about bits
    found = {name: costs.seconds(name, op, a, b, geometry, threads) for name in setting.allowed}
    return dict(sorted(found.items(), key=lambda entry: entry[1]))


def _cheapest(where: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, setting: Setting) -> str:
    """The first that does not refuse: what is dearer is not even imported."""
    for name in by_cost(op, a, b, geometry, setting):
        if not refusal(name, op, a, b, geometry):
            return name
    raise _cannot(where, op, a, b, geometry, setting)


def _cannot(where: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, setting: Setting) -> HandgradError:
    refusals = {name: refusal(name, op, a, b, geometry) for name in setting.allowed}
    able = [name for name, why in refusals.items() if not why]
    if setting.algorithm in refusals:
        problem, rows = f"algorithm {setting.algorithm!r} cannot compute this", {"why": refusals[setting.algorithm]}
    else:
        problem, rows = "none of the algorithms that are left can compute this", refusals
    return error(where, problem, **rows, able=", ".join(able) or "none that is left")
