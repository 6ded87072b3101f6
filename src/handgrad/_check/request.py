"""What a person asks for, as plain data that can be handed to another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

TIMEOUT = 30.0


@dataclass(frozen=True)
class Request:
    """A target and everything that may be said about it."""

    target: str
    inputs: tuple[str, ...] = ()  # NAME=SHAPE or NAME=SHAPE:KIND
    like: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # stride, padding, dilation, groups, kernel_size …
    output: str | None = None  # of a flat script: the variables
    grad_output: str | None = None
    wrt: tuple[str, ...] = ()  # VARIABLE=GRADIENT
    verbose: bool = False  # keep whole arrays

    @property
    def is_script(self) -> bool:
        """Whether the options are those of a flat script."""
        return bool(self.output or self.grad_output or self.wrt)

    @property
    def of_code(self) -> list[str]:
        """The options given that are for code with a backward pass, and not for a flat script."""
        named = {"--input": self.inputs, "--like": self.like}
        return [
            *(name for name, value in named.items() if value),
            *(f"--{name.replace('_', '-')}" for name in self.options),
        ]

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Request:
        """From JSON values; lists become tuples again."""
        options = {name: tuple(v) if isinstance(v, list) else v for name, v in plain["options"].items()}
        return cls(**{**plain, "inputs": tuple(plain["inputs"]), "wrt": tuple(plain["wrt"]), "options": options})
