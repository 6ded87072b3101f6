"""A request carried out in this process: find the code, run it, report. Whatever the code raises is the report."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from .._errors import HandgradError, error
from .inputs import parse_all
from .plan import Wanted
from .report import Location, Report
from .request import Request
from .run import check_subject, explained
from .script import check_script, trace_script
from .subjects import Subject, UserCodeError, finding
from .subjects.calling import call, steady
from .subjects.explaining import user_frame, user_traceback
from .unused import refuse_no_expression, refuse_repeated

_SCRIPT_OPTIONS = "a flat script takes --output, --grad-output and --wrt VARIABLE=GRADIENT"


def check_target(request: Request) -> Report:
    """The report on a request. Raises `HandgradError` if the request itself is wrong."""
    try:
        return _check(request)
    except UserCodeError as problem:
        return failure(problem)
    except (HandgradError, MemoryError):
        raise
    except (Exception, KeyboardInterrupt) as problem:  # an interrupt of the code's own: nobody else is here to press ^C
        if user_frame(problem.__traceback__) is not None:
            return failure(UserCodeError("the code", problem))
        message = "the checker itself failed, which says nothing of the code\n"
        return Report("inconclusive", None, message=message + "".join(traceback.format_exception(problem)))


def failure(problem: UserCodeError) -> Report:
    """The report on code that raises: its own traceback, and where it was."""
    frame = user_frame(problem.original.__traceback__)
    where = None if frame is None else Location(frame.tb_frame.f_code.co_filename, frame.tb_lineno)
    place = f" at {where.file}:{where.line}" if where else ""
    return Report("error", None, message=f"{problem.stage} raised{place}\n{user_traceback(problem.original)}")


def _check(request: Request) -> Report:
    target = finding.parse(request.target)
    if request.is_script or (target.is_file and not target.name and finding.is_script(target.module)):
        return _script(request, target)
    subject, wanted = subject_of(request)
    try:
        return check_subject(subject, wanted)
    except UserCodeError as problem:
        gradients = explained(problem, subject, wanted)
        report = replace(failure(problem), gradients=gradients)
        # what PyTorch refuses to take is a gradient that is wrong: the exception is how that shows
        return replace(report, verdict="wrong") if any(one.verdict == "wrong" for one in gradients) else report


def subject_of(request: Request) -> tuple[Subject, Wanted]:
    """The code that a request is about, loaded, and what to run it on.

    Raises `UserCodeError` if loading it does, `HandgradError` if there is not one thing to check.
    """
    target = finding.parse(request.target)
    module = finding.load(target)
    return _subject(module, target), _wanted(request, vars(module))


_NO_SCALAR = "--grad-output too, where the output is no scalar"


def _script(request: Request, target: finding.Target) -> Report:
    path = target.module
    if target.name:
        raise error("check", f"--output, --grad-output and --wrt are for a flat script, not for `{target.name}` in it")
    if unused := request.of_code:
        raise error(
            "check", f"{unused[0]} is for a file with a backward pass, and {path} defines none", hint=_SCRIPT_OPTIONS
        )
    if not request.is_script:
        return trace_script(path)
    if not (request.output and request.wrt):
        raise error("check", "a flat script needs --output and --wrt VARIABLE=GRADIENT", hint=_NO_SCALAR)
    pairs = [pair.partition("=") for pair in request.wrt]
    if not all(name and sign and gradient for name, sign, gradient in pairs):
        raise error(
            "check", f"`--wrt {' '.join(request.wrt)}` is not VARIABLE=GRADIENT", example="kernel=grads_weights"
        )
    refuse_repeated("--wrt", [name for name, _, _ in pairs])
    asked = [("--output", request.output), ("--grad-output", request.grad_output)]
    for option, text in [*asked, *(("--wrt", f"{name}, {gradient}") for name, _, gradient in pairs)]:
        refuse_no_expression(option, text or "None")
    wrt = {name: gradient for name, _, gradient in pairs}
    return check_script(path, request.output, request.grad_output, wrt, verbose=request.verbose)


def _subject(module: ModuleType, target: finding.Target) -> Subject:
    found = finding.candidates(vars(module), module.__name__)
    if target.name and target.name not in found and hasattr(module, target.name):
        return Subject(finding.of_object(getattr(module, target.name)))
    return finding.choose(found, target, getattr(module, "example_layer", None))


def _wanted(request: Request, namespace: Mapping[str, Any]) -> Wanted:
    """What the request and the file say together about what to run on."""
    specs = parse_all(request.inputs)
    example = namespace.get("example_inputs")
    given: Any = ()
    if example is not None and not specs:
        with steady():
            given = call("example_inputs", example)
    return Wanted(specs=specs, given=given, like=request.like, options=dict(request.options), verbose=request.verbose)
