"""Flat scripts, as pasted from a forum: traced, and their gradients checked and repaired.

`trace_script` shows every tensor line; `check_script` says of variables of a script whether they are the gradients
that they are said to be.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..._errors import HandgradError
from ..report import Gradient, Report
from ..subjects.calling import UserCodeError
from ..subjects.explaining import user_frame, user_traceback
from .example import plain_example
from .program import Program, load, new_namespace, running, unrolled
from .trace import Recorder, entries, suspicion_at, traced_run
from .verdict import judge
from .world import Claim

__all__ = ["check_script", "trace_script"]


def trace_script(path: str) -> Report:
    """Run a script and report every line that makes a tensor, with its shape and what looks wrong about it.

    Returns:
        A report whose `trace` has an entry a line: line, column, text, name, shape, dtype, note. Its verdict is
        "inconclusive", for nothing was asked, or "error" where the script raises: then the trace ends there.

    Raises:
        OSError: the file cannot be read.
    """
    program, failed, recorder = _run(path)
    if program is None or recorder is None:
        return _error(failed, ())
    trace = entries(program, recorder)
    if failed is not None:
        return _error(failed, trace)
    odd = sum(1 for entry in trace if entry["note"] and not entry["note"].startswith("first of"))
    looks = f", {odd} of which look{'s' if odd == 1 else ''} wrong" if odd else ""
    asked = "name gradients with --output, --grad-output and --wrt to have them checked"
    return Report(
        "inconclusive", None, (), trace, f"no gradient was checked: {len(trace)} tensor lines{looks}; {asked}"
    )


def check_script(
    path: str, output: str, grad_output: str | None, wrt: Mapping[str, str], *, verbose: bool = False
) -> Report:
    """Check variables of a script that claim to be gradients.

    Args:
        path: the script; it is run, several times.
        output: the variable that is differentiated.
        grad_output: the gradient at the output; None for a scalar output.
        wrt: for each variable (`kernel`), the expression (`grads_weights`) that claims to be its gradient.
        verbose: keep whole arrays with the first finding of each.

    Returns:
        One gradient for each of `wrt`, and the trace. Where the script raises, the verdict is "error" and there are
        gradients all the same if its forward pass runs.

    Raises:
        OSError: the file cannot be read.
        HandgradError: the script makes no such variable; lists those that it makes. Shapes that disagree.
    """
    program, failed, recorder = _run(path)
    if program is None or recorder is None:
        return _error(failed, ())
    trace = entries(program, recorder)
    program = unrolled(program, [output, *(name for name in wrt.values() if name.isidentifier())])
    try:
        gradients = judge(program, recorder, [Claim(output, grad_output, *item) for item in wrt.items()], verbose)
    except UserCodeError as error:  # the forward pass itself
        return _error(failed or error.original, trace)
    except HandgradError:
        if failed is not None:  # what is missing may come after the line that failed
            return _error(failed, trace)
        raise
    if failed is not None:
        return _error(failed, trace, gradients)
    verdicts = {gradient.verdict for gradient in gradients}
    verdict = next((v for v in ("wrong", "inconclusive") if v in verdicts), "correct")
    wrong = [item for item, gradient in zip(wrt.items(), gradients, strict=True) if gradient.verdict == "wrong"]
    example = plain_example(program, Claim(output, grad_output, *wrong[0])) if wrong else None
    return Report(verdict, None, gradients, trace, example=example)  # type: ignore[arg-type]


def _run(path: str) -> tuple[Program | None, BaseException | None, Recorder | None]:
    """The script run as it is; the exception it ended with, and what was seen until then."""
    try:
        program = load(path)
    except (SyntaxError, UnicodeDecodeError) as error:
        return None, error, None
    with running(program, quiet=False):
        try:
            return program, None, traced_run(program, new_namespace(program), program.statements)
        except UserCodeError as error:
            recorder: Recorder = error.recorder  # type: ignore[attr-defined]
            _explain(error.original, program, recorder)
            return program, error.original, recorder


def _explain(failed: BaseException, program: Program, recorder: Recorder) -> None:
    """What looks wrong about the line that failed, as a note on its exception."""
    frame = user_frame(failed.__traceback__)
    note = suspicion_at(program, recorder, frame.tb_lineno) if frame is not None else None
    if note is not None:
        failed.add_note(f"handgrad: {note}")


def _error(
    failed: BaseException | None, trace: tuple[Mapping[str, object], ...], gradients: tuple[Gradient, ...] = ()
) -> Report:
    assert failed is not None
    return Report("error", None, gradients, trace, user_traceback(failed))
