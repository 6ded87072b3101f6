"""The four parts of an explanation: what goes in, what is done, what comes out, and the formula."""

from __future__ import annotations

from dataclasses import dataclass

from .numbers import sizes_text
from .trace import Trace


@dataclass(frozen=True)
class Step:
    """A tensor, and what is done before one comes to it."""

    name: str
    operation: str = ""


@dataclass(frozen=True)
class Section:
    """One result and the way to it."""

    result: str
    title: str
    words: str
    formula: str
    product: str  # the same with matrices
    steps: tuple[Step, ...]


_WINDOW = (
    "Every number of {out} looks at one window of {into}: it is the sum of the window's numbers, each times the weight "
    "that lies on it."
)
_SPREAD = (
    "Every number of {into} is multiplied by the whole kernel, and laid over one window of {out}. Where windows "
    "overlap, what they bring is added: one number is the sum over all windows that reach it."
)
_WORDS = {
    ("output", False): _WINDOW.format(out="the output", into="the input"),
    ("output", True): _SPREAD.format(into="the input", out="the output"),
    ("grad_input", False): (
        "An input number stands in several windows, and in each it met one weight. So its gradient is a sum over these "
        "windows: that weight times the gradient of the window's output. This is what fold adds up."
    ),
    ("grad_input", True): _WINDOW.format(out="grad_input", into="grad_output"),
    ("grad_weight", False): (
        "A weight met one input number in every window. So its gradient is a sum over all windows of all samples: that "
        "input number times the gradient of the window's output."
    ),
    ("grad_weight", True): (
        "A weight sent every input number to one place of the output. So its gradient is a sum over all input numbers, "
        "of all samples: each times the gradient of the place where it went."
    ),
    (
        "grad_bias",
        False,
    ): "A bias was added to every output of its channel. So its gradient is the sum of all their gradients.",
}


def sections(trace: Trace) -> tuple[Section, ...]:
    """Forward, ∂weight, ∂bias (where there is a bias), ∂input."""
    forward, backward = (_scatter, _gather) if trace.transposed else (_gather, _scatter)
    found = [forward(trace, "output", "Forward"), _weight(trace)]
    if "bias" in trace.boxes:
        found.append(_bias())
    return (*found, backward(trace, "grad_input", "∂input"))


def _law(trace: Trace, letter: str) -> str:
    """The position of the law, without the numbers that do nothing."""
    geometry = trace.geometry
    stride = f"·{sizes_text(geometry.stride)}" if set(geometry.stride) != {1} else ""
    dilation = f"·{sizes_text(geometry.dilation)}" if set(geometry.dilation) != {1} else ""
    lows = tuple(low for low, _ in geometry.padding)
    low = f" − {sizes_text(lows)}" if any(lows) else ""
    return f"{letter}{stride} + k{dilation}{low}"


def _gather(trace: Trace, result: str, title: str) -> Section:
    roles, boxes = trace.roles, trace.boxes
    y, x, cols = boxes[result].symbol, boxes[roles.image].symbol, boxes[roles.unfolded].symbol
    bias = result == "output" and "bias" in boxes
    steps = [
        Step(roles.image),
        Step(roles.unfolded, "unfold: every window becomes a column"),
        Step("weight", "multiply from the left by"),
        *([Step("bias", "add")] if bias else []),
        Step(result, "gives"),
    ]
    if trace.transposed:
        formula = f"{y}[n, c, p] = Σ w[c, o, k] · {x}[n, o, {_law(trace, 'p')}]   over o and k"
    else:
        formula = (
            f"{y}[n, o, p] = {'b[o] + ' if bias else ''}Σ w[o, c, k] · {x}[n, c, {_law(trace, 'p')}]   over c and k"
        )
    return Section(
        result,
        title,
        _WORDS[result, trace.transposed],
        formula,
        f"{y} = w · {cols}{' + b' if bias else ''}",
        tuple(steps),
    )


def _scatter(trace: Trace, result: str, title: str) -> Section:
    roles, boxes = trace.roles, trace.boxes
    dx, dy, cols = boxes[result].symbol, boxes[roles.map].symbol, boxes[roles.product].symbol
    bias = result == "output" and "bias" in boxes
    folds = "fold: every column is added to the place of its window" + (", then crop" if _padded(trace) else "")
    steps = [
        Step("weight"),
        Step(roles.map, "transpose, and multiply by"),
        Step(roles.product, "gives a column for every window"),
        *([Step("bias", "fold, and add")] if bias else []),
        Step(result, folds if not bias else "gives"),
    ]
    meet = f"all p, k with {_law(trace, 'p')} = {'l' if trace.transposed else 'i'}"
    if trace.transposed:
        formula = f"{dx}[n, o, l] = {'b[o] + ' if bias else ''}Σ w[c, o, k] · {dy}[n, c, p]   over c and {meet}"
    else:
        formula = f"{dx}[n, c, i] = Σ w[o, c, k] · {dy}[n, o, p]   over o and {meet}"
    return Section(
        result,
        title,
        _WORDS[result, trace.transposed],
        formula,
        f"{dx} = fold({cols}), {cols} = wᵀ · {dy}{' + b' if bias else ''}",
        tuple(steps),
    )


def _weight(trace: Trace) -> Section:
    roles, boxes = trace.roles, trace.boxes
    x, dy, cols = boxes[roles.image].symbol, boxes[roles.map].symbol, boxes[roles.unfolded].symbol
    steps = (
        Step(roles.image),
        Step(roles.unfolded, "unfold: every window becomes a column"),
        Step(roles.map, "transpose, and multiply from the left by"),
        Step("grad_weight", "sum over the samples gives"),
    )
    law = _law(trace, "p")
    if trace.transposed:
        formula = f"dw[c, o, k] = Σ {dy}[n, c, p] · {x}[n, o, {law}]   over n and p"
    else:
        formula = f"dw[o, c, k] = Σ {dy}[n, o, p] · {x}[n, c, {law}]   over n and p"
    return Section(
        "grad_weight", "∂weight", _WORDS["grad_weight", trace.transposed], formula, f"dw = Σₙ {dy} · {cols}ᵀ", steps
    )


def _bias() -> Section:
    steps = (Step("grad_output"), Step("grad_bias", "sum over samples and positions gives"))
    return Section(
        "grad_bias", "∂bias", _WORDS["grad_bias", False], "db[o] = Σ dy[n, o, p]   over n and p", "db = Σ dy", steps
    )


def _padded(trace: Trace) -> bool:
    return any(map(any, trace.geometry.padding))
