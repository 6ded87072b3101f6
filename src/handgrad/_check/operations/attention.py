"""Scaled dot-product attention: y = P·v with P = softmax(q·kᵀ·scale).

dP = g·vᵀ     dS = P·(dP − Σ dP·P)     dq = scale·dS·k     dk = scale·dSᵀ·q     dv = Pᵀ·g
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import sqrt

from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards, Slip
from .operation import Known, Operation, Options, Roles, Setting

_DIAGONAL = Slip(
    "softmax-diagonal-only",
    None,
    "only the diagonal P·(1 − P) of softmax's Jacobian is used",
    "dS = P · (dP − (dP · P).sum(-1, keepdim=True))",
)
_LINEAR = Slip(
    "derivative-of-activation-wrong",
    None,
    "softmax's derivative is missing: dP stands for dS",
    "dS = P · (dP − (dP · P).sum(-1))",
)
_TURNED = Slip(
    "transposed", "attention", "the matrix of attention weights is transposed where it must not be, or the reverse"
)


@dataclass(frozen=True)
class _Attention:
    known: Known

    def weights(self) -> Tensor:
        """P: (…, L, S)."""
        q, k = self.known.tensors["query"], self.known.tensors["key"]
        scores = q @ k.mT * self.scale
        if self.known.options.get("is_causal"):
            scores = scores.masked_fill(scores.new_ones(scores.shape[-2:]).triu(1).bool(), float("-inf"))
        return scores.softmax(-1)

    @property
    def scale(self) -> float:
        """1/√E, or what was given for it."""
        given = self.known.options.get("scale")
        return 1 / sqrt(self.known.tensors["query"].shape[-1]) if given is None else float(given)

    def gradient(self, g: Tensor, slip: Slip) -> Tensor:
        """The gradient of one operand with one slip."""
        p, tensors, role = self.weights(), self.known.tensors, self.known.role
        turned = slip is _TURNED
        if role == "value":
            return (p if turned else p.mT) @ g
        dp = g @ tensors["value"].mT
        ds = p * (dp - (dp * p).sum(-1, keepdim=True))
        if slip is _DIAGONAL:
            ds = dp * p * (1 - p)
        elif slip is _LINEAR:
            ds = dp
        left = ds.mT if (role == "key") != turned else ds
        return self.scale * (left @ tensors["key" if role == "query" else "query"])


def _slips(known: Known) -> Backwards:
    this = _Attention(known)
    square = known.tensors["query"].shape[-2] == known.tensors["key"].shape[-2]
    inner = (_DIAGONAL, _LINEAR) if known.role != "value" else ()
    for slip in (*inner, *((_TURNED,) if square else ())):
        yield (slip,), partial(this.gradient, slip=slip)


def _forward(roles: Roles, options: Options) -> Tensor:
    return F.scaled_dot_product_attention(roles["query"], roles["key"], roles["value"], **options)


def _settings() -> list[Setting]:
    def sizes(batch: tuple[int, ...], L: int, S: int, E: int, V: int) -> dict[str, tuple[int, ...]]:
        return {"query": (*batch, L, E), "key": (*batch, S, E), "value": (*batch, S, V)}

    return [
        Setting("R1", sizes((2,), 5, 7, 3, 4)),
        Setting("R2", sizes((3,), 4, 6, 5, 2)),
        Setting("self", sizes((2,), 6, 6, 3, 4)),  # L = S: transposed weights run
        Setting("self 5", sizes((3,), 5, 5, 4, 2)),
    ]


def _guesses(roles: Roles, _output: Tensor) -> list[Options]:
    if any(tensor.dim() < 2 for tensor in roles.values()):
        return []
    return [{}, {"is_causal": True}, {"scale": 1.0}]


OPERATIONS = (
    Operation("attention", ("query", "key", "value"), _forward, _settings, _guesses, required=3, slips=_slips),
)
