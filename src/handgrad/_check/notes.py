"""What holds for a check as a whole, in sentences: where it looked, what the truth was, what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from . import truth
from .case import OWN
from .cases import Judged
from .judge import Problems
from .plan import Plan
from .subjects import Subject, UserCodeError
from .subjects.returned import is_target


def notes(subject: Subject, made: Plan, judged: Sequence[Judged], problems: Problems) -> Iterator[str]:
    """One sentence after another."""
    yield from made.notes
    yield f"{subject.library} code, compared at {_looked_at(made, judged)}"
    yield from _raises(problems)
    if subject.dtype == torch.float32:
        yield "the code takes float32 only, so that gradients are compared to about four digits"
    if any(one.source == "differences" for one in judged):
        yield "the truth is central differences of the forward pass"
    if any(one.quick for one in judged):
        yield "your sizes are large: they were run once, and looked into at smaller ones"
    if any(one.source == "directions" and not one.quick for one in judged):
        yield "the forward is slow, so that its gradient was compared along three random directions only"
    if (ignored := judged[0].run.ignored) > 0:
        more = "array" if ignored == 1 else f"{ignored} arrays"
        yield f"the first result is the output: backward takes no gradient of the further {more} that forward returns"
    yield from _unreturned(judged)
    for label, problem in problems:
        yield f"left out {label}: {problem or type(problem).__name__}"
    for label, refused in made.refused:
        yield f"left out {label}, which the forward does not take: {refused}"


def _looked_at(made: Plan, judged: Sequence[Judged]) -> str:
    """ "your sizes and 2 others", "the settings R1, R2 of conv2d"."""
    labels = list(dict.fromkeys(one.draw.label for one in judged))
    own = [label for label in labels if label.startswith(OWN)]
    others = [label for label in labels if "other sizes" in label]
    settings = [label for label in labels if label not in (*own, *others)]
    parts = list(own)
    if own and others:
        parts.append(f"{len(others)} others" if len(others) > 1 else "one other")
    if settings:
        of = f" of {made.operation.name}" if made.operation else ""
        parts.append(f"the setting{'s' if len(settings) > 1 else ''} {', '.join(settings)}{of}")
    if others and not own:
        parts.append("other sizes")
    return " and ".join(parts)


def _raises(problems: Problems) -> Iterator[str]:
    raised = [label for label, problem in problems if isinstance(problem, UserCodeError)]
    if raised:
        yield f"the code raises at {', '.join(raised)}: what is said here is of the rest"


def _unreturned(judged: Sequence[Judged]) -> Iterator[str]:
    """Inputs of which nothing came back at all: a first layer's, or forgotten."""
    known = {name for one in judged for name in one.case.user}
    left = [name for name in truth.differentiable(judged[0].draw) if name not in known and not is_target(name)]
    if left:
        yield "nothing was returned for " + ", ".join(f"`{name}`" for name in left)
