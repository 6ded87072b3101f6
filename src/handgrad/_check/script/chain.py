"""Variables between the input and the output that a claim would be right for: the columns, the padded image."""

from __future__ import annotations

import ast

from torch import Tensor

from ..._errors import HandgradError
from ..case import same
from ..subjects.calling import UserCodeError
from .closers import TOLERANCE
from .names import loaded, stored
from .truth import derivative
from .world import World


def sentence(world: World, found: str, user: Tensor) -> str:
    """What is to be said of a claim that is right for another variable."""
    return f"`{world.claim.expression}` is right with respect to `{found}` {tuple(user.shape)}"


def chain_finding(world: World, user: Tensor) -> tuple[str, str] | None:
    """(cause, message) where the claim stops at a variable that is larger than the input: its columns, or padded."""
    name = chain_variable(world, user)
    if name is None or user.numel() <= world.target.truth.numel():
        return None
    made = [s for s in world.derivative.program.statements[world.derivative.start :] if name in stored(s)]
    padded = any("pad" in ast.unparse(node).split("(")[0].lower() for s in made for node in ast.walk(s)
                 if isinstance(node, ast.Call)) or user.dim() == world.target.truth.dim()  # fmt: skip
    message = f"right with respect to `{name}` {tuple(user.shape)}, but not brought back to `{world.target.name}`"
    return ("padding-not-cropped" if padded else "column-form"), f"{message} {tuple(world.target.truth.shape)}"


def chain_variable(world: World, user: Tensor) -> str | None:
    """The variable, made of the claim's and used for the output, whose gradient the claim is."""
    for name in chain_of(world):
        value = world.state.names.get(name)
        if tuple(getattr(value, "shape", ())) != tuple(user.shape):
            continue
        try:
            other = derivative(world.program, world.claim.output, name).vjp(world.grad_output)
        except (UserCodeError, HandgradError, RuntimeError):
            continue
        if same(user, other, TOLERANCE):
            return name
    return None


def chain_of(world: World) -> list[str]:
    """The names that are made, directly or not, of the claim's variable, before the output."""
    reached = {world.claim.name}
    found: list[str] = []
    for statement in world.derivative.program.statements[world.derivative.start :]:
        if loaded(statement) & reached:
            made = stored(statement) - {world.claim.output, world.claim.name}
            reached |= made
            found += sorted(made - set(found))
    return found
