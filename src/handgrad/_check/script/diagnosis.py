"""Where no repair is found: the diagnosis that all checks share, on draws made of the script.

First of the claim itself; then of the first intermediate gradient that is wrong, `dscores` of `scores`, for which the
rest of the forward pass is often a single known operation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor

from ..._errors import HandgradError
from ..case import OWN, Case, Vjp, same
from ..diagnose import diagnose
from ..operations import recognise
from ..report import Finding, Location
from ..subjects.calling import UserCodeError, from_library, gradient
from .chain import chain_finding, chain_of
from .closers import TOLERANCE
from .names import loaded, stored
from .program import running
from .repair import attempt
from .truth import Derivative, derivative
from .values import value_for_gradient
from .world import World

_MARKS = re.compile(r"^(grads?_|d_|d|g_|delta_|der_)|_grads?$|_(delta|d)$")


def diagnosed(posted: World, seconds: Sequence[World]) -> tuple[Finding, ...]:
    """The causes of a wrong claim, or a single `unexplained`; nothing where the claim does not run."""
    here = _case(posted, posted.derivative, _claimed(posted))
    if here is None:
        return ()
    user = here.user[posted.claim.name]
    assert user is not None  # or there were no case
    stops = chain_finding(posted, user)
    if stops is not None:
        return (Finding(*stops),)
    claims = [(there, claimed) for there in seconds if (claimed := _claimed(there)) is not None]
    others = [case for case in (_case(there, there.derivative, claimed) for there, claimed in claims) if case]
    found = _agreed(here, others, posted.claim.name)
    if found and found[-1].cause != "unexplained":
        return found
    return _of_intermediate(posted, seconds) or value_for_gradient(posted, user, claims) or found


def _agreed(here: Case, others: Sequence[Case], name: str) -> tuple[Finding, ...]:
    """What explains the posted draw and one other: not all of the others need be the script at other sizes.

    Where a size in the gradient does not follow, a constant must explain that too: the fewest slips are believed.
    """
    here = replace(here, label=OWN)
    found: list[tuple[Finding, ...]] = []
    for draws in [[here, other] for other in others] or [[here]]:
        found.append(diagnose(draws, name))
        if found[-1] and found[-1][-1].cause != "unexplained" and len(found[-1]) == 1:
            return found[-1]
    named = [causes for causes in found if causes and causes[-1].cause != "unexplained"]
    return min(named, key=len, default=found[-1])


def _claimed(world: World) -> Tensor | None:
    with running(world.program):
        return gradient(attempt(world, ()))


def _case(world: World, slope: Derivative, user: Tensor | None, above: Tensor | None = None) -> Case | None:
    """One draw: the variable, whatever else enters between it and the output, and what claims to be its gradient."""
    if user is None:
        return None
    others = {name: from_library(world.state.names[name]) for name in _beside(world, slope)}
    inputs = {slope.name: slope.value, **{name: value for name, value in others.items() if value is not None}}
    return Case(
        inputs=inputs,
        output=slope.output,
        grad_output=world.grad_output if above is None else above,
        user={slope.name: user},
        vjp=lambda grad_output: {slope.name: slope.vjp(grad_output)},
        rerun=partial(_again, world) if above is None and world.claim.grad_output in world.state.names else None,
        run_at=partial(_elsewhere, world) if above is None and slope.name.isidentifier() else None,
        bound=recognise(inputs, slope.output),
        tracked=slope.tracked if slope.is_tracked else None,
        linearize=partial(_at, slope) if slope.is_tracked else None,
        tolerance=TOLERANCE,
        code="\n".join(ast.unparse(statement) for _, statement in world.backward),
    )


def _at(slope: Derivative, inputs: Mapping[str, Tensor]) -> Vjp:
    """The truth with the variable, and what enters beside it, at other values."""
    linear = slope.at(inputs)
    return lambda grad_output: {slope.name: linear(grad_output)}


def _again(world: World, grad_output: Tensor) -> dict[str, Tensor | None]:
    """The claim with other numbers in grad_output."""
    with running(world.program):
        return {world.claim.name: gradient(attempt(replace(world, given=grad_output), ()))}


def _elsewhere(world: World, inputs: Mapping[str, Tensor], grad_output: Tensor) -> dict[str, Tensor | None]:
    """The claim with other numbers in the variables and in grad_output."""
    with running(world.program):
        try:
            return {world.claim.name: gradient(world.value_at(inputs, grad_output))}
        except UserCodeError:
            return {world.claim.name: None}


def _beside(world: World, slope: Derivative) -> list[str]:
    """The tensors, not made of the variable, that the statements from it to the output read."""
    made, read = {slope.name}, list[str]()
    for statement in slope.program.statements[slope.start :]:
        if loaded(statement) & made:  # what only stands between them, `w = torch.randn(…)`, is made of something else
            made |= stored(statement)
            read += sorted(loaded(statement))
    return [name for name in dict.fromkeys(read) if name not in made and hasattr(world.state.names.get(name), "shape")]


def _of_intermediate(posted: World, seconds: Sequence[World]) -> tuple[Finding, ...]:
    """What is wrong on the way back: each intermediate gradient, judged by the one that it is made of."""
    output, upstream = posted.claim.output, posted.claim.grad_output
    found: list[Finding] = []
    for made, name, line in [*_pairs(posted), (posted.claim.expression, posted.claim.name, 0)]:
        here = _intermediate(posted, made, name, output, upstream)
        if here is None:
            continue
        if not _is_right(here, name):
            cases = [_intermediate(there, made, name, output, upstream) for there in seconds]
            causes = _agreed(here, [case for case in cases if case is not None], name)
            if not causes or causes[-1].cause == "unexplained":
                continue
            found += _placed(causes, posted, made, name, line)
        output, upstream = name, made
    return tuple(found)


def _placed(findings: Sequence[Finding], posted: World, made: str, name: str, line: int) -> list[Finding]:
    """The findings about an intermediate gradient, which has a line of its own, or about the claim."""
    if not line:
        return list(findings)
    place = Location(posted.program.path, line)
    said = f"`{made}`, the gradient of `{name}`: "
    return [replace(finding, message=said + finding.message, location=place) for finding in findings]


def _pairs(world: World) -> Iterator[tuple[str, str, int]]:
    """(`dscores`, `scores`, line) for each variable of the backward pass that is named after one of the forward's."""
    chain = {_plain(name): name for name in [*chain_of(world), world.claim.name]}
    for _, statement in world.backward:
        for made in sorted(stored(statement)):
            name = chain.get(_plain(_MARKS.sub("", made)))
            if name is not None and made != world.claim.expression:
                yield made, name, statement.lineno


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _intermediate(world: World, made: str, name: str, output: str, upstream: str | None) -> Case | None:
    """The draw for an intermediate gradient, from the variable `output` with its gradient `upstream` on."""
    with running(world.program):
        attempt(world, ())
        user = gradient(world.namespace.get(made))
        above = gradient(world.namespace.get(upstream or ""))
    try:
        slope = derivative(world.program, output, name)
    except (UserCodeError, HandgradError, RuntimeError):
        return None
    above = world.grad_output if above is None else above
    return _case(world, slope, user, above) if above.shape == slope.output.shape else None


def _is_right(case: Case, name: str) -> bool:
    user = case.user[name]
    return user is not None and same(user, case.truth(name), TOLERANCE)
