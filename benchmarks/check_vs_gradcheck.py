"""What `torch.autograd.gradcheck` says about the corpus' wrong programs, beside what `handgrad check` says.

    python benchmarks/check_vs_gradcheck.py [open] [scored]

A `torch.autograd.Function` is given to gradcheck as it is, any other program as the forward and backward of one, in
float64, at the smallest sizes at which it is wrong. Flat scripts have no function that could be asked. The open set is
shown program by program, the scored set in counts only, so that nobody writes a diagnosis after it.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "check"))

from running import Outcome, Program, programs, run

from handgrad._check.inputs import Draw
from handgrad._check.judge import judge
from handgrad._check.plan import Plan, plan
from handgrad._check.subjects import Subject, UserCodeError
from handgrad._check.subjects.arguments import bind
from handgrad._check.subjects.autograd_function import AutogradFunction
from handgrad._check.target import subject_of
from handgrad._check.truth import differentiable

PASSES, MISMATCH = "passes", "Jacobian mismatch"


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    for which in sys.argv[1:] or ("open", "scored"):
        rows = [(run(program), gradcheck_says(program)) for program in programs(which) if program.expect != "correct"]
        if which == "open":
            print(f"{'program':28} {'the slip':34} {'gradcheck':34} handgrad check")
            for outcome, other in rows:
                print(f"{outcome.program.name:28} {outcome.program.expect:34} {other:34} {_shown(outcome)}")
        print(f"\n{which}, {len(rows)} wrong programs")
        print(f"  gradcheck      {_counted(other for _, other in rows)}")
        print(f"  handgrad check {_counted(_shown(outcome) for outcome, _ in rows)}\n")


def _shown(outcome: Outcome) -> str:
    return "names it" if outcome.right else "names another" if outcome.named_wrong else outcome.said


def _counted(answers: Any) -> str:
    return ", ".join(f"{count} {answer}" for answer, count in Counter(answers).most_common())


def gradcheck_says(program: Program) -> str:
    """In a few words: it passes, its Jacobians differ, or what it raises."""
    if program.style == "script":
        return "no function to ask"
    silent = io.StringIO()
    with (
        contextlib.redirect_stdout(silent),
        contextlib.redirect_stderr(silent),
        warnings.catch_warnings(action="ignore"),
    ):
        try:
            subject, wanted = subject_of(program.request)
            draw = _smallest_wrong(subject, plan(subject, wanted))
            torch.autograd.gradcheck(*_as_function(subject, draw))
        except UserCodeError as problem:
            return f"raises {type(problem.original).__name__}"
        except Exception as problem:
            return MISMATCH if "Jacobian mismatch" in str(problem) else _first_words(problem)
    return PASSES


def _first_words(problem: Exception) -> str:
    message = str(problem).strip().splitlines() or [type(problem).__name__]
    words = message[0].partition(" at index")[0]
    if "invalid gradient" in message[0]:
        return "engine: gradient of a wrong shape"
    return words if len(words) <= 34 else words[:33].rpartition(" ")[0] + " …"


def _smallest_wrong(subject: Subject, made: Plan) -> Draw:
    """The smallest draw at which a gradient is wrong; the smallest of all if only the forward or a side effect is."""
    judged, _ = judge(subject, made)
    wrong = [one for one in judged if not all(one.case.is_right(name) for name in differentiable(one.draw))]
    draws = [one.draw for one in wrong or judged]
    return min(draws, key=lambda draw: sum(value.numel() for value in draw.inputs.values()))


def _as_function(subject: Subject, draw: Draw) -> tuple[Any, tuple[Any, ...]]:
    """The program's own Function, or it as one for the engine, with the inputs to check it at."""
    inputs = {n: v.clone().requires_grad_() if v.is_floating_point() else v for n, v in draw.inputs.items()}
    if isinstance(subject.adapter, AutogradFunction):
        skip = int(subject.adapter.with_context)
        return subject.adapter.function.apply, tuple(
            bind(subject.adapter.functions[0], inputs, draw.options, skip).values()
        )
    names = list(draw.inputs)

    class Program(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Tensor) -> Tensor:
            ctx.run = subject.run(dict(zip(names, (t.detach() for t in tensors), strict=True)), draw.options)
            return ctx.run.output

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            found = ctx.run.backward(grad)
            return tuple(found.get(name) if draw.inputs[name].is_floating_point() else None for name in names)

    return Program.apply, tuple(inputs.values())


if __name__ == "__main__":
    main()
