"""Linear layers and plain matrix products; nearly all that goes wrong with them goes wrong everywhere."""

from __future__ import annotations

from torch.nn import functional as F

from .operation import Operation, Setting, no_options


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


OPERATIONS = (
    Operation(
        "linear",
        ("input", "weight", "bias"),
        lambda roles, _: F.linear(roles["input"], roles["weight"], roles.get("bias")),
        _linear_settings,
        no_options,
        required=2,
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
