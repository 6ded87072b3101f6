"""Check a hand-written backward pass: what is wrong with it, where, and the line that is right.

Somebody's code becomes a `Subject` (subjects), is run at a plan's draws (plan, settings, own, inputs, scaling) beside
the truth (truth, differences, reference), and each draw is a `Case`. What is no evidence is told from what is (nothing,
kinks, accidents, second_look). A diagnosis sees only cases (diagnose, slips, operations); a flat script has its own way
(script). All end in one `Report`, which renderers only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from .._errors import error
from .report import Finding, Gradient, Location, Report
from .request import TIMEOUT, Request

__all__ = ["Finding", "Gradient", "Location", "Report", "check"]


def check(
    target: Any,
    *,
    inputs: Any = None,
    like: str | None = None,
    output: str | None = None,
    grad_output: str | None = None,
    wrt: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    verbose: bool = False,
    **options: Any,
) -> Report:
    """Check a hand-written backward pass against the gradient of its own forward.

    Args:
        target: a path (`"layer.py"`, `"layer.py:Conv"`, `"package.module:Conv"`), which runs in a process of its own,
            or live objects, which run where they stand: an `autograd.Function`, a pair `(forward, backward)`, a class
            with both, or an instance of one.
        inputs: for live objects the tensors or arrays of the forward call, in order or by name; for both, shapes
            as `"x=2x3x9x7"` and `"t=5:int"`, in a list.
        like: the operation that the forward is declared to be, by PyTorch's name: `"conv2d"`.
        output, grad_output: of a flat script, the names of the variables.
        wrt: of a flat script, what claims to be which gradient: `{"kernel": "grads_weights"}`.
        timeout: seconds for a path; live objects are not interrupted.
        verbose: keep whole arrays in the report.
        **options: of the operation: stride, padding, dilation, groups, kernel_size, eps.

    Returns:
        The report; `report.ok`, `report.findings`, `str(report)`.

    Raises:
        HandgradError: if the request itself is wrong: no such file, no inputs, several things to check.
        Exception: whatever live code raises, with a note of the shapes in the failing expression. Code in a path that
            raises is reported instead.
    """
    specs = tuple(inputs) if _are_specs(inputs) else ()
    if isinstance(target, str | PathLike):
        from .sandbox import check_apart

        if not specs and inputs is not None and not (isinstance(inputs, Sequence) and not inputs):
            raise error("check", "the inputs of a path are shapes, since it runs in another process", example="x=2x3")
        pairs = tuple(f"{name}={gradient}" for name, gradient in (wrt or {}).items())
        request = Request(str(target), specs, like, options, output, grad_output, pairs, verbose)
        return check_apart(request, timeout)
    if output or grad_output or wrt:
        raise error("check", "output, grad_output and wrt are for the path of a flat script, not for live objects")
    from .live import check_live

    return check_live(target, specs, () if specs or inputs is None else inputs, like, options, verbose)


def _are_specs(inputs: Any) -> bool:
    return isinstance(inputs, Sequence) and len(inputs) > 0 and all(isinstance(text, str) for text in inputs)
