"""Convolutions to test with, as data: each case says what it is there for.

Sizes differ wherever they can, so that no two axes, and no two constants, can be taken for each other; the question's
own setting (one image, one channel, square, stride 1) is the first case and would hide most mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

import handgrad as hg
from oracles import torch_conv, torch_conv_transpose

Size = tuple[int, ...]


class Operands(NamedTuple):
    x: Tensor
    w: Tensor
    b: Tensor
    dy: Tensor


class Case(NamedTuple):
    """One convolution: x and w are sizes, options the arguments after the bias."""

    why: str
    x: Size
    w: Size
    options: dict[str, Any]
    transposed: bool = False

    @property
    def dims(self) -> int:
        return len(self.w) - 2

    @property
    def name(self) -> str:
        return f"conv{'_transpose' if self.transposed else ''}{self.dims}d"

    def function(self, of: str = "") -> Callable[..., Any]:
        """handgrad's function for this case: the convolution, or its "_input", "_weight", "_bias", "_backward"."""
        return getattr(hg, self.name + of)

    def framework(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        """What the framework puts out."""
        return (torch_conv_transpose if self.transposed else torch_conv)(x, w, b, **self.options)

    def operands(self, dtype: torch.dtype = torch.float64) -> Operands:
        """Random x, w, b and dy."""
        x, w = torch.randn(self.x, dtype=dtype), torch.randn(self.w, dtype=dtype)
        O = self.w[1] * self.options.get("groups", 1) if self.transposed else self.w[0]
        return Operands(x, w, torch.randn(O, dtype=dtype), torch.randn_like(self.framework(x, w)))


def case(why: str, x: Size, w: Size, transposed: bool = False, **options: Any) -> Any:
    """A case as a parameter of a test, named by its words."""
    return pytest.param(Case(why, x, w, options, transposed), id=f"{len(w) - 2}d {why}".replace(" ", "-"))


def transposed(why: str, x: Size, w: Size, **options: Any) -> Any:
    """The same of a transposed convolution."""
    return case(f"transposed {why}", x, w, transposed=True, **options)


CONV = [
    # What hides on square images, hides in batches of one, or hides at stride 1.
    case("the question: one image and channel", (1, 1, 6, 6), (1, 1, 3, 3), padding=1),
    case("every size differs, stride remainder", (2, 3, 10, 9), (4, 3, 4, 3), stride=(3, 2), padding=(2, 1)),
    case("stride and dilation differ by axis", (2, 2, 9, 8), (3, 2, 2, 3), stride=(1, 2), dilation=(2, 1)),
    case("more output than input rows", (2, 3, 4, 5), (2, 3, 3, 2), padding=(2, 1)),
    case("last rows and columns unread", (2, 2, 8, 9), (3, 2, 2, 3), stride=(5, 4)),
    case("stride larger than the kernel", (2, 2, 9, 7), (3, 2, 2, 1), stride=(4, 3), padding=(1, 0)),
    case("stride larger than the input", (2, 2, 5, 4), (3, 2, 2, 2), stride=(9, 9)),
    case("one stride in a sequence", (1, 2, 6, 7), (2, 2, 2, 3), stride=[2], dilation=[1], padding=[1]),
    # Kernels at both ends.
    case("kernel of one", (2, 3, 4, 5), (4, 3, 1, 1)),
    case("kernel of one, strided", (2, 3, 4, 5), (4, 3, 1, 1), stride=(3, 2)),
    case("kernel of one, padded", (2, 3, 2, 3), (2, 3, 1, 1), padding=(1, 2)),
    case("kernel as large as the input", (2, 3, 4, 5), (2, 3, 4, 5)),
    case("kernel larger than the input, padding makes up", (2, 2, 3, 2), (2, 2, 5, 4), padding=(1, 2)),
    case("image of one pixel", (3, 2, 1, 1), (4, 2, 1, 1)),
    case("image of one pixel in padding", (3, 2, 1, 1), (2, 2, 3, 3), padding=1),
    case("one row of output", (2, 3, 4, 9), (2, 3, 4, 2)),
    # Padding.
    case("padding larger than the kernel", (2, 2, 3, 4), (3, 2, 2, 3), padding=(4, 5)),
    case("windows that read padding alone", (1, 2, 2, 3), (2, 2, 1, 2), padding=(3, 4), stride=(2, 3)),
    case("low and high differ", (2, 3, 6, 7), (2, 3, 3, 2), padding=((1, 2), (3, 0)), stride=(2, 1)),
    case("only high", (2, 2, 5, 6), (3, 2, 3, 3), padding=((0, 1), (0, 2))),
    case("only low", (2, 2, 5, 6), (3, 2, 3, 3), padding=((2, 0), (1, 0)), stride=2),
    case("a pair of pairs as lists", (2, 2, 5, 6), (3, 2, 3, 3), padding=[[2, 0], [1, 3]]),
    case("same", (2, 3, 5, 6), (2, 3, 3, 5), padding="same"),
    case("same, odd totals", (2, 3, 5, 6), (2, 3, 2, 4), padding="same"),
    case("same, dilated", (2, 2, 6, 7), (2, 2, 4, 3), padding="same", dilation=(3, 2)),
    case("valid", (2, 3, 5, 6), (2, 3, 3, 2), padding="valid", stride=2),
    # Dilation.
    case("dilation", (2, 3, 9, 8), (2, 3, 3, 2), dilation=(3, 5)),
    case("dilation and stride share a factor", (2, 2, 9, 11), (3, 2, 3, 3), dilation=(2, 4), stride=(4, 2), padding=2),
    case("dilation with padding so wide that taps see nothing", (1, 2, 3, 3), (2, 2, 3, 3), dilation=7, padding=7),
    # Groups.
    case("groups", (2, 6, 5, 4), (4, 3, 3, 2), groups=2, padding=1),
    case("groups of one input and many output channels", (2, 3, 5, 4), (6, 1, 3, 2), groups=3, stride=(2, 1)),
    case("groups of many input and one output channels", (2, 6, 5, 4), (3, 2, 2, 3), groups=3),
    case("depthwise", (2, 4, 6, 5), (4, 1, 3, 2), groups=4, padding=(1, 0)),
    case("depthwise with a multiplier, strided, dilated", (2, 3, 8, 7), (6, 1, 2, 3), groups=3, stride=2, dilation=2),
    # Batch.
    case("unbatched", (3, 6, 5), (4, 3, 3, 2), padding=1, stride=2),
    case("unbatched, groups", (4, 6, 5), (2, 2, 3, 2), groups=2),
    case("many tiny images", (37, 2, 2, 3), (3, 2, 2, 2)),
    # Padding that copies: its gradient folds back.
    *(
        case(f"{mode}, both sides unequal", (2, 2, 5, 6), (3, 2, 3, 2), padding=((3, 1), (0, 4)), padding_mode=mode)
        for mode in ("reflect", "replicate", "circular")
    ),
    *(
        case(f"{mode}, strided and dilated", (2, 4, 5, 6), (2, 2, 2, 3), padding=2, padding_mode=mode, **more)
        for mode in ("reflect", "replicate", "circular")
        for more in [{"stride": (2, 3), "dilation": (3, 2), "groups": 2}]
    ),
    case("reflect as wide as can be", (1, 2, 4, 3), (2, 2, 2, 3), padding=((3, 3), (2, 1)), padding_mode="reflect"),
    case("circular as wide as can be", (1, 2, 4, 3), (2, 2, 2, 3), padding=((4, 4), (3, 2)), padding_mode="circular"),
    case("replicate wider than the input", (1, 2, 2, 1), (2, 2, 3, 2),
         padding=((3, 5), (4, 2)), padding_mode="replicate"),
    case("circular same, odd totals", (2, 2, 5, 6), (3, 2, 4, 3), padding="same", padding_mode="circular"),
    case("reflect, unbatched", (2, 5, 6), (3, 2, 3, 2), padding=(2, 1), padding_mode="reflect", stride=2),
    case("a mode without padding", (2, 2, 5, 6), (3, 2, 3, 2), padding_mode="reflect"),
    # One dimension.
    case("plain", (2, 3, 9), (4, 3, 3)),
    case("stride remainder, dilation", (2, 3, 12), (4, 3, 3), stride=3, dilation=2, padding=1),
    case("a pair", (2, 3, 7), (2, 3, 3), padding=((1, 2),), stride=2),
    case("same, odd total", (2, 3, 7), (2, 3, 4), padding="same"),
    case("depthwise with a multiplier", (2, 3, 8), (6, 1, 3), groups=3, padding=2),
    case("reflect, unequal sides", (2, 2, 6), (3, 2, 3), padding=((4, 1),), padding_mode="reflect"),
    case("circular, strided", (2, 2, 6), (3, 2, 3), padding=4, padding_mode="circular", stride=3),
    case("unbatched", (3, 9), (4, 3, 2), stride=2),
    case("one sample of one entry", (1, 1, 1), (1, 1, 1)),
    # Three dimensions.
    case("plain", (2, 2, 4, 3, 5), (3, 2, 2, 3, 2)),
    case("everything differs", (2, 2, 5, 6, 7), (2, 2, 2, 3, 1),
         stride=(2, 1, 3), padding=(0, 1, 2), dilation=(1, 2, 1)),
    case("groups, unequal sides", (1, 4, 3, 4, 5), (2, 2, 2, 1, 3), groups=2, padding=((1, 0), (0, 2), (2, 1))),
    case("depthwise", (1, 3, 3, 4, 4), (3, 1, 2, 2, 3), groups=3, padding="same"),
    case("replicate, unequal sides", (1, 2, 2, 3, 4), (2, 2, 2, 3, 2),
         padding=((1, 2), (3, 0), (0, 1)), padding_mode="replicate"),
    case("circular", (1, 2, 2, 3, 4), (2, 2, 2, 3, 2), padding=(1, 2, 3), padding_mode="circular", stride=2),
    case("unbatched", (2, 3, 4, 5), (3, 2, 2, 2, 2), stride=(1, 2, 3)),
]  # fmt: skip

TRANSPOSED = [
    transposed("plain", (2, 3, 4, 5), (3, 2, 3, 2)),
    transposed("stride", (2, 3, 4, 3), (3, 2, 3, 2), stride=(2, 3)),
    transposed("stride larger than the kernel", (2, 2, 3, 4), (2, 3, 2, 1), stride=(4, 3)),
    transposed("cropped", (2, 3, 4, 5), (3, 2, 3, 4), stride=2, padding=(1, 2)),
    transposed("low and high crops differ", (2, 2, 4, 5), (2, 3, 3, 4), stride=(2, 1), padding=((2, 0), (1, 3))),
    transposed("crop wider than the kernel", (2, 2, 6, 7), (2, 3, 2, 3), padding=(2, 3)),
    transposed("output_padding", (2, 3, 3, 4), (3, 2, 2, 3), stride=(3, 2), output_padding=(2, 1)),
    transposed("output_padding past the stride, below the dilation", (2, 2, 3, 4), (2, 3, 2, 3),
               stride=2, dilation=(4, 3), output_padding=(3, 2)),
    transposed("output_padding beside a crop", (2, 2, 3, 4), (2, 3, 3, 2),
               stride=3, padding=(1, 0), output_padding=(2, 1)),
    transposed("output_padding that no window reaches", (2, 2, 3, 3), (2, 3, 1, 1), stride=3, output_padding=2),
    transposed("dilation", (2, 2, 4, 3), (2, 3, 3, 2), dilation=(2, 3)),
    transposed("groups", (2, 4, 3, 4), (4, 3, 2, 3), groups=2, stride=2),
    transposed("groups of one input and many output channels", (2, 3, 3, 4), (3, 2, 2, 3), groups=3, padding=1),
    transposed("depthwise", (2, 3, 4, 3), (3, 1, 3, 2), groups=3, stride=(2, 1)),
    transposed("kernel of one", (2, 3, 4, 5), (3, 2, 1, 1)),
    transposed("kernel of one, strided", (2, 3, 3, 2), (3, 2, 1, 1), stride=(2, 3)),
    transposed("image of one pixel", (2, 3, 1, 1), (3, 2, 4, 3)),
    transposed("unbatched", (3, 4, 5), (3, 2, 3, 2), stride=2, padding=1),
    transposed("many tiny images", (37, 2, 1, 2), (2, 3, 2, 2)),
    transposed("stride, output_padding", (2, 3, 4), (3, 2, 3), stride=3, output_padding=1, padding=1),
    transposed("a pair", (2, 3, 5), (3, 2, 3), stride=2, padding=((2, 1),)),
    transposed("groups, dilation, unbatched", (4, 5), (4, 1, 3), groups=2, dilation=2),
    transposed("everything differs", (2, 2, 2, 3, 4), (2, 3, 3, 2, 1),
               stride=(2, 1, 3), padding=(1, 0, 0), output_padding=(1, 0, 2), dilation=(1, 2, 1)),
    transposed("groups", (1, 4, 2, 3, 2), (4, 1, 2, 2, 3), groups=2, stride=2),
    transposed("unequal crops, unbatched", (2, 3, 3, 2), (2, 3, 2, 3, 3),
               padding=((1, 0), (0, 2), (1, 1)), stride=(1, 2, 2)),
]  # fmt: skip

CASES = CONV + TRANSPOSED

# Sizes of nothing, as the framework takes them. Without input channels it puts out no channels either, so the loop
# over the law, which would put out zeros, is no judge of these.
EMPTY = [
    case("no images", (0, 3, 5, 6), (2, 3, 3, 2), padding=1),
    case("no images, groups", (0, 4, 5, 6), (2, 2, 3, 2), groups=2, stride=2),
    case("no images, reflect", (0, 3, 5, 6), (2, 3, 3, 2), padding=1, padding_mode="reflect"),
    case("no images", (0, 3, 5), (2, 3, 3)),
    case("no images", (0, 3, 5, 4, 3), (2, 3, 3, 2, 1)),
    case("no input channels", (2, 0, 5, 6), (3, 0, 3, 2), padding=1),
    case("no input channels", (2, 0, 5), (3, 0, 3)),
    case("no images and no input channels", (0, 0, 5, 6), (3, 0, 3, 2)),
    case("no input channels, unbatched", (0, 5, 6), (3, 0, 3, 2)),
    transposed("no images", (0, 3, 4, 5), (3, 2, 3, 2), stride=2),
    transposed("no images", (0, 3, 4), (3, 2, 3)),
    transposed("no images", (0, 3, 2, 3, 4), (3, 2, 3, 2, 1)),
]  # fmt: skip


def _sliced(x: Tensor) -> Tensor:
    """Every other entry along the last axis of a tensor twice as long."""
    return torch.stack([x, x + 1], -1).flatten(-2)[..., ::2]


# The same numbers in other places in memory. Results must not depend on it.
ARRANGEMENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x.contiguous(),
    "channels last": lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1),
    "transposed": lambda x: x.mT.contiguous().mT,
    "batch last": lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0),
    "sliced": _sliced,
    "cropped": lambda x: torch.nn.functional.pad(x, (1, 2) * (x.dim() - 2))[
        (..., *(slice(1, 1 + size) for size in x.shape[2:]))
    ],
    "offset": lambda x: torch.cat([x[:1], x])[1:],
}
