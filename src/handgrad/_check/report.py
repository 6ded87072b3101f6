"""What a check found out, as frozen data, and the first line of what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .._errors import error
from .causes import CAUSES
from .findings import Finding, Gradient, Location

if TYPE_CHECKING:
    from rich.text import Text

    from .._explain import Trace

__all__ = ["Finding", "Gradient", "Location", "Report", "Verdict"]

Verdict = Literal["correct", "wrong", "error", "inconclusive"]


@dataclass(frozen=True)
class Report:
    """What `hg.check` returns."""

    verdict: Verdict
    operation: str | None  # declared or recognised
    gradients: tuple[Gradient, ...] = ()
    trace: tuple[Mapping[str, Any], ...] = ()  # flat scripts: one entry a tensor line
    message: str | None = None  # of an error or an inconclusive check
    notes: tuple[str, ...] = ()  # what holds for the whole: how inputs were drawn, what was recognised
    # a draw at which a convolution is wrong, as `example.Example` writes it
    example: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether every gradient is right."""
        return self.verdict == "correct"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the gradients; what does not show at the person's own sizes comes last."""
        ordered = sorted(self.gradients, key=lambda gradient: gradient.is_latent)
        return tuple(finding for gradient in ordered for finding in gradient.findings)

    @property
    def headline(self) -> str:
        """The verdict in a sentence."""
        if self.message:
            return self.message
        of = f" of {self.operation}" if self.operation else ""
        total, wrong = len(self.gradients), [gradient for gradient in self.gradients if gradient.verdict == "wrong"]
        every = f"the gradient{of} is" if total == 1 else f"all {total} gradients{of} are"
        if self.verdict == "correct":
            return f"{every} right"
        if wrong and all(gradient.has_right_values for gradient in wrong):
            return f"{every} right, but {CAUSES.get(wrong[0].findings[0].cause, 'the code is not')}"
        if self.verdict == "wrong":
            one = f"{len(wrong)} of {total} gradients{of} {'is' if len(wrong) == 1 else 'are'} wrong"
            return f"{every} wrong" if total == 1 else one
        return f"{total} gradients{of}"

    def explain(self) -> Trace:
        """The convolution at a draw at which a gradient is wrong, with the claim beside the right one, as a page.

        Raises:
            HandgradError: where no gradient of a convolution is wrong.
        """
        if self.example is None:
            hint = "`hg.explain` shows any convolution"
            raise error(
                "explain", "the report has no wrong gradient of a convolution to show", hint, verdict=self.verdict
            )
        from .example import Example
        from .page import explained

        return explained(Example.of(self.example), self.gradients)

    def text(self, *, verbose: bool = False) -> Text:
        """The report for a terminal; with `verbose` whole arrays, where the check kept them."""
        from .render import text

        return text(self.verdict, self.headline, self.trace, self.gradients, self.notes, verbose=verbose)

    def __str__(self) -> str:
        """The report as plain text, as the command prints it where there is no terminal."""
        return self.text().plain

    def _repr_html_(self) -> str:
        """The report for a notebook."""
        from .render import html

        return html(self.text())
