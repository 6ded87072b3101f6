"""A report as a page: its convolution explained, the wrong gradients beside the right ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from .._explain import Trace, explain
from .example import Example
from .findings import Finding, Gradient


def explained(example: Example, gradients: Sequence[Gradient]) -> Trace:
    """The trace of an example, compared with what was claimed, and the findings on each."""
    by_name = {gradient.name: gradient for gradient in gradients}
    operands = example.operands
    transposed = "transpose" in example.operation
    names = ", ".join(name for name, _ in example.claims.values())
    trace = explain(
        operands["input"],
        operands["weight"],
        operands.get("bias"),
        example.grad_output,
        **example.options,
        transposed=transposed,
        title=f"What is wrong with the gradient of {names}",
    )
    for role, (name, claim) in example.claims.items():
        trace = trace.compare(**{role: claim}, findings=_findings(by_name.get(name)))
    return trace


def _findings(gradient: Gradient | None) -> tuple[Finding, ...]:
    """The gradient's findings; the line that repairs everything stands on the last."""
    if gradient is None or not gradient.findings:
        return ()
    *before, last = gradient.findings
    return (*before, replace(last, fix=last.fix or gradient.fix))


def plain(text: str, title: str) -> str:
    """A page with a text in a `<pre>`, for what is no convolution."""
    style = "body{margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}pre{white-space:pre-wrap}"
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style>'
    return f"{head}<h1>{escape(title)}</h1><pre>{escape(text)}</pre></html>\n"
