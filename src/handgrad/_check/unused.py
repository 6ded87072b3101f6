"""What was asked for and would change nothing, or cannot be, is refused: a report on something else misleads."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from .._errors import error
from .operations import Operation
from .subjects import Subject
from .subjects.arguments import option_of


def refuse_unused_options(subject: Subject, operation: Operation | None, options: Mapping[str, Any]) -> None:
    """Raise `HandgradError` if an option is too small, or neither an argument of the code nor of the operation."""
    known = options_of(operation) if operation is not None else set()
    for name, value in options.items():
        _refuse_impossible(name, value)
        if name not in known and not _takes(subject, name):
            what = f"`{subject.name}` takes no `{name}`"
            if operation is not None:
                raise error("check", f"{what}, and neither does {operation.name}", options=_listed(known))
            raise error("check", what, hint=f"with --like conv2d, `{name}` is the operation's")


def options_of(operation: Operation) -> set[str]:
    """The options that an operation has: those of its settings, and those that it can be recognised with."""
    settings = operation.settings()
    roles = settings[0].inputs()
    guesses = operation.guesses(roles, operation.forward(roles, settings[0].options))
    return {name for setting in settings for name in setting.options} | {
        name for guess in islice(guesses, 20) for name in guess
    }


def refuse_unknown(what: str, given: Collection[str], known: Collection[str]) -> None:
    """Raise `HandgradError` if one of the given names is not known; where none are known, all may be meant."""
    unknown = [name for name in given if name not in known]
    if known and unknown:
        raise error("check", f"there is no {what} `{unknown[0]}`", known=_listed(known))


def refuse_repeated(option: str, names: Sequence[str]) -> None:
    """Raise `HandgradError` if a name comes twice, of which only one could be used."""
    if repeated := [name for name in names if names.count(name) > 1]:
        raise error("check", f"`{option} {repeated[0]}=…` is given {names.count(repeated[0])} times")


_AT_LEAST = {"stride": 1, "dilation": 1, "groups": 1, "kernel_size": 1, "padding": 0, "output_padding": 0, "eps": 0}


def _refuse_impossible(name: str, value: Any) -> None:
    numbers = value if isinstance(value, tuple | list) else (value,)
    least = _AT_LEAST.get(name)
    if least is not None and any(isinstance(n, int | float) and not least <= n < math.inf for n in numbers):
        raise error("check", f"`{name}` is {value}", needed=f"{least} or more")


def refuse_no_expression(option: str, text: str) -> None:
    """Raise `HandgradError` if what should be a variable, or an expression in variables, is none."""
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        raise error("check", f"`{option} {text}` names no variable of the script") from None


def _takes(subject: Subject, name: str) -> bool:
    """Whether the forward or the backward has an argument of this name, or of one that means the same."""
    if name in subject.adapter.accepts:
        return True
    functions = (subject.adapter.functions[0], subject.adapter.functions[-1])
    arguments = {argument for function in functions for argument in inspect.signature(function).parameters}
    return name in arguments or any(option_of(argument) == name for argument in arguments)


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names) if isinstance(names, set) else names) or "none"
