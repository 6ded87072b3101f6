"""A trace in the words of code: the pieces that the snippets of every result are put together from."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from .._geometry import Ints, spans
from .trace import Trace


@dataclass(frozen=True)
class Names:
    """The trace in the words of code."""

    trace: Trace

    @property
    def dims(self) -> int:
        """1, 2 or 3."""
        return self.trace.geometry.dims

    @property
    def groups(self) -> int:
        """G."""
        return self.trace.geometry.groups

    @property
    def image(self) -> str:
        """The symbol of the operand that is unfolded."""
        return self.trace.boxes[self.trace.roles.image].symbol

    @property
    def map(self) -> str:
        """The symbol of the operand with an entry a window."""
        return self.trace.boxes[self.trace.roles.map].symbol

    @property
    def p(self) -> str:
        """The letters of a window's position."""
        return ", ".join("pqr"[: self.dims])

    @property
    def k(self) -> str:
        """The letters of a tap."""
        return ", ".join("klm"[: self.dims])

    @property
    def weight_axes(self) -> str:
        """The letters of the weight's first two axes, that of the map side first."""
        return "c, o" if self.trace.transposed else "o, c"

    @property
    def map_channel(self) -> str:
        """The letter of the channel on the map side."""
        return self.weight_axes[0]

    @property
    def image_channel(self) -> str:
        """The law of groups."""
        A, B = self.trace.boxes["weight"].shape[:2]
        a, b = self.weight_axes.split(", ")
        return b if self.groups == 1 else f"{a} // {A // self.groups} * {B} + {b}"

    @property
    def read(self) -> str:
        """The law, on the padded image."""
        return ", ".join(
            " + ".join((times(p, axis.stride), times(k, axis.dilation)))
            for p, k, axis in zip("pqr", "klm", self.trace.axes, strict=False)
        )

    @property
    def weight_at(self) -> str:
        """Where a meeting finds its weight, in the brackets."""
        return f"{self.weight_axes}, {self.k}"

    @property
    def image_at(self) -> str:
        """Where it finds its entry of the padded image."""
        return f"n, {self.image_channel}, {self.read}"

    @property
    def map_at(self) -> str:
        """Where it finds its window."""
        return f"n, {self.map_channel}, {self.p}"

    def shape(self, name: str) -> str:
        """A tensor's size, as arguments."""
        return ", ".join(map(str, self.trace.boxes[name].shape))

    @property
    def padded(self) -> Ints:
        """The size of the padded image, samples and channels included."""
        return tuple(self.trace.boxes[self.trace.roles.image].padded.shape)

    @property
    def beyond(self) -> Ints:
        """What the padded image has past the last window's end."""
        geometry = self.trace.geometry
        used = zip(geometry.output, geometry.stride, spans(geometry.kernel, geometry.dilation), strict=True)
        return tuple(n - (p - 1) * s - span for n, (p, s, span) in zip(self.padded[2:], used, strict=True))

    @property
    def grid(self) -> Ints:
        """The padded grid, cut where a function of PyTorch would find another window (large output_padding)."""
        more, stride = self.beyond, self.trace.geometry.stride
        if all(m < s for m, s in zip(more, stride, strict=True)):
            return self.padded[2:]
        return tuple(n - m for n, m in zip(self.padded[2:], more, strict=True))

    def settings(self, stride: Ints, dilation: Ints) -> str:
        """Keywords, without those that say nothing."""
        parts = [
            f"{name}={numbers[0] if len(set(numbers)) == 1 else numbers}"
            for name, numbers in (("stride", stride), ("dilation", dilation))
            if set(numbers) != {1}
        ]
        return "".join(f", {part}" for part in parts)

    @property
    def grouped(self) -> str:
        """The keyword for groups, where there are any."""
        return f", groups={self.groups}" if self.groups > 1 else ""

    @property
    def pad(self) -> str:
        """The line that pads the image."""
        pads = self.trace.geometry.padding
        cut = "" if self.grid == self.padded[2:] else f"[:, :, {', '.join(f':{n}' for n in self.grid)}]"
        if not any(map(any, pads)):
            return f"{self.image}p = {self.image}{cut}"
        ends = tuple(end for pair in reversed(pads) for end in pair)
        mode = self.trace.padding_mode
        return f"{self.image}p = F.pad({self.image}, {ends}{'' if mode == 'zeros' else f', mode={mode!r}'}){cut}"

    def unpad(self, symbol: str) -> list[str]:
        """From the padded result to the result: cropped, or what padding copied added to where it came from."""
        axes = self.trace.axes
        if self.grid != self.padded[2:]:
            ends = tuple(end for more in reversed(self.beyond) for end in (0, more))
            crop = ", ".join(f"{axis.low}:{axis.low + axis.input}" for axis in axes)
            return [f"{symbol} = F.pad({symbol}p, {ends})[:, :, {crop}]  # output_padding"]
        if self.trace.padding_mode != "zeros" and any(axis.low or axis.high for axis in axes):
            lines = [f"{symbol} = {symbol}p"]
            for at, axis in enumerate(axes, start=2):
                size = (*self.padded[:2], *(other.input for other in axes[: at - 1]), *self.padded[at + 1 :])
                zeros = f"torch.zeros({', '.join(map(str, size))}, dtype={symbol}.dtype)"
                lines.append(
                    f"{symbol} = {zeros}.index_add(2 + {at - 2}, torch.tensor({list(axis.sources)}), {symbol})"
                )
            return lines
        if not any(axis.low or axis.high for axis in axes):
            return [f"{symbol} = {symbol}p"]
        return [f"{symbol} = {symbol}p[:, :, {', '.join(f'{axis.low}:{axis.low + axis.input}' for axis in axes)}]"]

    def loops(self, statement: str) -> list[str]:
        """A statement at every meeting."""
        samples, (A, B) = self.trace["input"].shape[0], self.trace.boxes["weight"].shape[:2]
        taps, windows = (ranges(sizes) for sizes in (self.trace.geometry.kernel, self.trace.geometry.output))
        return [
            f"for n, {self.weight_axes} in product({ranges((samples, A, B))}):",
            f"    for {self.p} in {loop_over(windows)}:  # windows",
            f"        for {self.k} in {loop_over(taps)}:  # taps",
            f"            {statement}",
        ]

    @property
    def unfold(self) -> list[str]:
        """The line that makes the columns: (N, C·K, L)."""
        geometry, x = self.trace.geometry, f"{self.image}p"
        if self.dims == 3:
            chain = "".join(
                f".unfold({axis}, {span}, {stride})" + (f"[..., ::{dilation}]" if dilation > 1 else "")
                for axis, span, stride, dilation in zip(
                    (2, 3, 4),
                    spans(geometry.kernel, geometry.dilation),
                    geometry.stride,
                    geometry.dilation,
                    strict=True,
                )
            )
            size = (self.padded[0], self.padded[1] * prod(geometry.kernel), prod(geometry.output))
            return [f"cols = {x}{chain}", f"cols = cols.permute(0, 1, 5, 6, 7, 2, 3, 4).reshape{size}"]
        kernel, settings, flat = self.flat
        return [f"cols = F.unfold({x}{flat}, {kernel}{settings})"]

    @property
    def flat(self) -> tuple[Ints, str, str]:
        """Kernel, settings and a view as an image: `F.unfold` knows images only."""
        geometry = self.trace.geometry
        if self.dims == 2:
            return geometry.kernel, self.settings(geometry.stride, geometry.dilation), ""
        (k,), (s,), (d,) = geometry.kernel, geometry.stride, geometry.dilation
        return (1, k), self.settings((1, s), (1, d)), ".unsqueeze(2)"

    def blocks(self, expression: str, axis: int) -> str:
        """With an axis of groups, where there are any."""
        return f"{expression}.unflatten({axis}, ({self.groups}, -1))" if self.groups > 1 else expression

    @property
    def rows(self) -> str:
        """The line that makes the weight a matrix."""
        return f"rows = {self.blocks('w.flatten(1)', 0)}"

    @property
    def g(self) -> str:
        """The letter of groups in an einsum."""
        return "g" if self.groups > 1 else ""


def times(letter: str, factor: int) -> str:
    return letter if factor == 1 else f"{letter} * {factor}"


def ranges(sizes: Ints) -> str:
    return ", ".join(f"range({size})" for size in sizes)


def loop_over(ranges: str) -> str:
    return f"product({ranges})" if "," in ranges else ranges


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
