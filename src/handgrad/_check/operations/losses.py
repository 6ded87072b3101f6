"""Losses: cross entropy from logits, and mean squared error."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards, Slip
from .operation import Known, Operation, Options, Roles, Setting


def _cross_entropy_slips(known: Known) -> Backwards:
    """dx = (p − t)/N; what people write for it."""
    if known.role != "input" or known.input.dim() != 2:
        return
    p, target = known.input.softmax(1), known.tensors["target"]
    t = target if target.is_floating_point() else F.one_hot(target, p.shape[1]).double()
    share = 1.0 if known.options.get("reduction") == "sum" else 1 / p.shape[0]
    message = "only the diagonal p·(1 − p) of softmax's Jacobian is used"
    slip = Slip("softmax-diagonal-only", None, message, "the gradient of both together is (softmax − one_hot)/N")
    yield (slip,), partial(torch.mul, -t * (1 - p) * share)
    slip = Slip(
        "derivative-of-activation-wrong", "−t/p", "softmax's derivative is missing: this is the gradient of its output"
    )
    yield (slip,), partial(torch.mul, -t / p * share)
    slip = Slip("derivative-of-activation-wrong", "p", "the one-hot target is not subtracted", "(softmax − one_hot)/N")
    yield (slip,), partial(torch.mul, p * share)
    slip = Slip(
        "derivative-of-activation-wrong", "x − t", "the logits stand where softmax of them belongs", "apply softmax"
    )
    yield (slip,), partial(torch.mul, (known.input - t) * share)


def _cross_entropy(roles: Roles, options: Options) -> Tensor:
    return F.cross_entropy(roles["input"], roles["target"], **options)


def _mse(roles: Roles, options: Options) -> Tensor:
    return F.mse_loss(roles["input"], roles["target"], **options)


def _cross_entropy_settings() -> list[Setting]:
    def setting(name: str, N: int, C: int) -> Setting:
        return Setting(name, {"input": (N, C), "target": (N,)}, {}, {"target": f"index:{C}"})

    return [setting("R1", 5, 7), setting("R2", 4, 3), setting("R3", 7, 5)]


def _mse_settings() -> list[Setting]:
    return [
        Setting("R1", {"input": (5, 7), "target": (5, 7)}),
        Setting("R2", {"input": (4, 3), "target": (4, 3)}),
        Setting("R3", {"input": (6,), "target": (6,)}),
    ]


def _guesses(_roles: Roles, output: Tensor) -> list[Options]:
    return [{"reduction": "mean"}, {"reduction": "sum"}] if output.numel() == 1 else []


OPERATIONS = (
    Operation(
        "cross_entropy",
        ("input", "target"),
        _cross_entropy,
        _cross_entropy_settings,
        _guesses,
        required=2,
        slips=_cross_entropy_slips,
    ),
    Operation("mse_loss", ("input", "target"), _mse, _mse_settings, _guesses, required=2),
)
