"""A configuration in words, and its output size with the numbers put in."""

from __future__ import annotations

from .numbers import shape_text, sizes_text
from .roles import letters, words
from .trace import Trace


def sentence(trace: Trace) -> str:
    """What is convolved with what, and how."""
    x, w = trace.boxes["input"].shape, trace.boxes["weight"].shape
    kind = "transposed convolution" if trace.transposed else "convolution"
    outputs = trace.boxes["output"].shape[1]
    kernel = shape_text(w[2:]) if len(w) > 3 else f"length {w[2]}"
    grid = shape_text(x[2:]) if len(x) > 3 else f"length {x[2]}"
    return (
        f"{trace.geometry.dims}-d {kind} of {_count(x[0], 'sample')} with {_count(x[1], 'channel')} of {grid} "
        f"to {_count(outputs, 'channel')}, kernel {kernel}, {', '.join(_settings(trace))}"
    )


def formulas(trace: Trace) -> list[str]:
    """The output size of each axis, computed."""
    dims = trace.geometry.dims
    named = letters("output", dims, trace.transposed, 1)[2:]
    extras = trace.output_padding
    lines = []
    for letter, axis, extra in zip(named, trace.axes, extras, strict=True):
        pads = f"{axis.low} + {axis.high}"
        if trace.transposed:
            sides = f"({axis.output} − 1)·{axis.stride} − {axis.low} − {axis.high}"
            lines.append(f"{letter} = {sides} + {axis.dilation}·({axis.kernel} − 1) + 1 + {extra} = {axis.input}")
        else:
            inner = f"{axis.input} + {pads} − {axis.dilation}·({axis.kernel} − 1) − 1"
            lines.append(f"{letter} = ⌊({inner}) / {axis.stride}⌋ + 1 = {axis.output}")
    return lines


_MEANINGS = {
    "N": "samples",
    "C": "input channels",
    "O": "output channels",
    "I": "the input's grid",
    "K": "the kernel, in taps",
    "L": "the output's grid",
    "G": "groups of channels",
}


def legend(trace: Trace) -> list[tuple[str, str, str]]:
    """(letters, what they count, how many) of everything in a picture of this trace."""
    x, w, y = (trace.boxes[name].shape for name in ("input", "weight", "output"))
    sizes = {"N": x[:1], "C": x[1:2], "O": y[1:2], "I": x[2:], "K": w[2:], "L": y[2:], "G": (trace.geometry.groups,)}
    found = []
    for letter, meaning in _MEANINGS.items():
        if letter != "G" or trace.geometry.groups > 1:
            found.append((letter, meaning, shape_text(sizes[letter])))
    return found


def reading(trace: Trace) -> list[tuple[str, str]]:
    """(name, how to read it) of the gradients, of the indices in the formulas, and of the heads of the columns."""
    dims, channel = trace.geometry.dims, trace.boxes[trace.roles.image].shape[1] - 1
    tap, window = (tuple(size - 1 for size in sizes) for sizes in (trace.geometry.kernel, trace.geometry.output))
    grid = ", ".join(words("input", dims, trace.transposed)[2:])
    of = {"dw": "w", "dx": "x"} | ({"db": "b"} if "bias" in trace.boxes else {})
    made = "; here small made-up numbers" if trace.made_up else ""
    pair = f": ({grid}), {'a pair' if dims == 2 else 'three numbers'} each" if dims > 1 else ""
    return [
        ("dy", f"∂loss/∂y: how the loss changes with each output{made}"),
        (", ".join(of), ", ".join(f"∂loss/∂{letter}" for letter in of.values())),
        ("p, k", f"a window, and a tap of the kernel{pair}"),
        (
            f"{channel}·{_listed(tap)}",
            f"heads a row of the columns: channel {channel}, tap ({grid}) = {_at(tap)}",
        ),
        (_listed(window), f"heads a column of the columns: the window at ({grid}) = {_at(window)}"),
    ]


def _listed(index: tuple[int, ...]) -> str:
    return ",".join(map(str, index))


def _at(index: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, index))})"


def agreement(trace: Trace) -> str:
    """How the results compare with PyTorch's."""
    worst = max(trace.errors.values())
    if worst == 0:
        return "equals PyTorch exactly, all results, in float64"
    verdict = "equals PyTorch" if worst < 1e-9 else "differs from PyTorch"
    return f"{verdict}, worst error {worst:.1g} of the largest entry, in float64"


def _settings(trace: Trace) -> list[str]:
    geometry = trace.geometry
    parts = [f"stride {sizes_text(geometry.stride)}", f"padding {_padding(trace)}"]
    if set(geometry.dilation) != {1}:
        parts.append(f"dilation {sizes_text(geometry.dilation)}")
    if any(trace.output_padding):
        parts.append(f"output_padding {sizes_text(trace.output_padding)}")
    if geometry.groups > 1:
        parts.append(f"{geometry.groups} groups")
    return parts


def _padding(trace: Trace) -> str:
    pads = trace.geometry.padding
    if all(low == high for low, high in pads):
        text = sizes_text(tuple(low for low, _ in pads))
    else:
        text = " and ".join(f"{low} before, {high} after" for low, high in dict.fromkeys(pads))
    return text if trace.padding_mode == "zeros" else f"{text} ({trace.padding_mode})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
