"""Linear layers and plain matrix products; nearly all that goes wrong with them goes wrong everywhere."""

from __future__ import annotations

from torch.nn import functional as F

from ..slips import Backwards, Slip
from .operation import Known, Operation, Setting, no_options


def _linear_settings() -> list[Setting]:
    def sizes(*batch: int, I: int, O: int) -> dict[str, tuple[int, ...]]:
        return {"input": (*batch, I), "weight": (O, I), "bias": (O,)}

    return [
        Setting("R1", sizes(5, I=3, O=4)),
        Setting("R2", sizes(2, I=7, O=3)),
        Setting("square", sizes(6, I=4, O=4)),  # exchanged or transposed factors run
        Setting("one sample", sizes(1, I=4, O=3)),
    ]


def _matmul_settings() -> list[Setting]:
    return [
        Setting("R1", {"input": (5, 3), "other": (3, 4)}),
        Setting("R2", {"input": (2, 7), "other": (7, 3)}),
        Setting("square", {"input": (4, 4), "other": (4, 4)}),
        Setting("square 6", {"input": (6, 6), "other": (6, 6)}),
    ]


def _linear_slips(known: Known) -> Backwards:
    """x for grad_output in the formulas themselves: they run whatever the width of the output."""
    rows = known.input.reshape(-1, known.input.shape[-1])
    slip = Slip(
        "input-instead-of-grad-output", "input", "the input stands where grad_output belongs", "use grad_output"
    )
    if known.role == "weight":
        yield (slip,), lambda _: rows.mT @ rows
    elif known.role == "bias":
        yield (slip,), lambda _: rows.sum(0)


OPERATIONS = (
    Operation(
        "linear",
        ("input", "weight", "bias"),
        lambda roles, _: F.linear(roles["input"], roles["weight"], roles.get("bias")),
        _linear_settings,
        no_options,
        required=2,
        slips=_linear_slips,
    ),
    Operation(
        "matmul",
        ("input", "other"),
        lambda roles, _: roles["input"] @ roles["other"],
        _matmul_settings,
        no_options,
        required=2,
    ),
)
