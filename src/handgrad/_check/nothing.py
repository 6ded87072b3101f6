"""What it means that no gradient came back for an input: it is a constant, or its gradient was forgotten.

`return grad_x, None` is how a backward says that its second input has none, and of a target, a mask or a constant it
may say so although the output depends on it. Of a weight it may not: there None is an omission, which PyTorch's engine
takes for a zero without a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from .case import same
from .cases import Judged
from .report import Gradient
from .subjects import Subject
from .subjects.classes import ClassInstance
from .subjects.returned import is_target, word
from .subjects.source import returns_none

Meaning = Literal["zero", "constant", "unclear", "forgotten"]

_NOTES = {
    "zero": "no gradient came back, and the output does not depend on it",
    "constant": "no gradient came back: it is taken for a constant, though the output depends on it",
    "unclear": "no gradient came back, which is right for a constant and an omission for a parameter",
}


@dataclass(frozen=True)
class Nothing:
    """Inputs and parameters without a gradient that are nevertheless no mistake, and what is to be said of them."""

    gradients: dict[str, Gradient]
    constants: tuple[str, ...]  # arrays of an object, of which nobody claimed that they have a gradient

    @property
    def notes(self) -> tuple[str, ...]:
        """What the report says of the constants."""
        return tuple(f"no gradient of `{name}` was found: it is taken for a constant" for name in self.constants)


def nothing(subject: Subject, names: Sequence[str], judged: Sequence[Judged]) -> Nothing:
    """Of the names for which None came back in every draw those that may; what was forgotten is not among them."""
    gradients, constants = {}, []
    for name in names:
        meaning = _meaning(subject, name, judged)
        if meaning == "constant" and name in subject.adapter.parameters():
            constants.append(name)
        elif meaning != "forgotten":
            expected = tuple(judged[0].case.inputs[name].shape)
            verdict: Literal["correct", "inconclusive"] = "inconclusive" if meaning == "unclear" else "correct"
            gradients[name] = Gradient(name, verdict, None, expected, None, note=_NOTES[meaning])
    return Nothing(gradients, tuple(constants))


def _meaning(subject: Subject, name: str, judged: Sequence[Judged]) -> Meaning:
    if any(one.case.user.get(name) is not None or one.case.returned_count is not None for one in judged):
        return "forgotten"
    if any(one.case.elsewhere(name) for one in judged):
        return "forgotten"  # it came back in the place of another
    if all(same(truth := one.case.truth(name), torch.zeros_like(truth), one.case.tolerance) for one in judged):
        return "zero"
    if name in subject.adapter.parameters():
        return _of_parameter(subject, name, judged)
    meaning = _of_input(subject, name, judged[0])
    # `return None, dw, None` asks about dw: what it says of the others is no cause of what is wrong with that
    return "unclear" if meaning == "forgotten" and _says_none(subject, name) and _another_is_wrong(judged) else meaning


def _another_is_wrong(judged: Sequence[Judged]) -> bool:
    return any(
        value is not None and name in one.case.inputs and not one.case.is_right(name)
        for one in judged
        for name, value in one.case.user.items()
    )


def _says_none(subject: Subject, name: str) -> bool:
    """Whether the code returns None for it, and does not merely return too little."""
    names = subject.adapter.inputs
    return name in names and returns_none(subject.adapter.functions[-1], names.index(name))


def _of_input(subject: Subject, name: str, one: Judged) -> Meaning:
    """By what it is called; then by whether the code says None, or merely has nothing to return."""
    names = subject.adapter.inputs
    in_a_loss = one.case.output.ndim == 0 and any(map(is_target, names))
    if is_target(name) or (in_a_loss and name != names[0]):
        return "constant"
    if is_parameter(name) or name == names[0]:
        return "unclear" if _is_kernel(name) else "forgotten"
    value = one.case.inputs[name]
    return "constant" if _says_none(subject, name) or bool(((value == 0) | (value == 1)).all()) else "forgotten"


def _of_parameter(subject: Subject, name: str, judged: Sequence[Judged]) -> Meaning:
    """An array of an object: with the name of a parameter it has a gradient, unless that may be there unseen.

    Where nothing of the object has one it may be fixed as a whole, but for what PyTorch was told to train.
    """
    own = subject.adapter.parameters()
    if isinstance(subject.adapter, ClassInstance) and subject.adapter.is_trained(name):
        return "forgotten"
    unclaimed = judged[0].run.unclaimed
    if not is_parameter(name.rpartition(".")[2]):
        return "unclear" if unclaimed else "constant"
    others = any(one.case.user.get(other) is not None for one in judged for other in own)
    return "forgotten" if others and not unclaimed else "unclear"


def is_parameter(name: str) -> bool:
    """Whether an array of this name is one that is trained: `W`, `weight`, `b1`, `gamma`, `Wxh`, `params[0]`."""
    plain = word(re.sub(r"\[.*\]$", "", name)).rstrip("0123456789")
    known = ("x", "w", "b", "gamma", "beta", "params", "param", "parameters", "theta", "embedding", "embeddings")
    matrix = re.fullmatch(r"[WUVb][a-z]{0,3}_?\w{0,3}", name) is not None
    words = ("weight", "bias", "kernel", "filter")
    return plain in known or matrix or name.lower() in ("q", "k", "v", "query", "key", "value") or _has(name, words)


def _is_kernel(name: str) -> bool:
    """Whether it may be fixed as well, as the kernel of a blur is."""
    return _has(name, ("kernel", "filter"))


def _has(name: str, words: Sequence[str]) -> bool:
    return any(word in name.lower() for word in words)
