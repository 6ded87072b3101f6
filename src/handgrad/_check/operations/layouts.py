"""The layouts in which people keep images and weights, each with the way into PyTorch's and the way back.

A world is a choice for everything at once: who keeps images as (N, H, W, C) gets the output like that as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Calling it brings a tensor into PyTorch's layout; `back` undoes that, for gradients of any size."""

    name: str
    to: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    flips: bool = False  # whether it turns a kernel round, for a forward pass that convolves in the true sense

    def __call__(self, tensor: Tensor) -> Tensor:
        """In PyTorch's layout."""
        return self.to(tensor)


@dataclass(frozen=True)
class World:
    """One layout for each role, and one for the output."""

    roles: Mapping[str, Layout]
    output: Layout

    @property
    def is_plain(self) -> bool:
        """Whether every operand is as PyTorch has it."""
        return all(layout is SAME for layout in self.roles.values())


SAME = Layout("as it is", lambda t: t, lambda t: t)
_TURNED = Layout("(I, O)", lambda t: t.mT, lambda t: t.mT if t.dim() == 2 else t)
_DEPTHWISE = Layout("(C, *K)", lambda t: t.unsqueeze(1), lambda t: t.squeeze(1))
_KERNEL_LAST = Layout("(*K, C, O)", lambda t: t.movedim((-1, -2), (0, 1)), lambda t: t.movedim((0, 1), (-1, -2)))
_CHANNELS_EXCHANGED = Layout(
    "(I, O, *K)", lambda t: t.transpose(0, 1), lambda t: t.transpose(0, 1) if t.dim() > 2 else t
)
_ONE_SAMPLE = Layout("(C, *I)", lambda t: t[None], lambda t: t.squeeze(0))
_ONE_IMAGE = Layout("(*I)", lambda t: t[None, None], lambda t: t.squeeze(0).squeeze(0))
_CHANNELS_LAST = Layout("(N, *I, C)", lambda t: t.movedim(-1, 1), lambda t: t.movedim(1, -1) if t.dim() > 2 else t)
_ONE_CHANNELS_LAST = Layout("(*I, C)", lambda t: t.movedim(-1, 0)[None], lambda t: t.squeeze(0).movedim(0, -1))

# Of an image and of what comes out of it: the number of axes that PyTorch's image has more than this one.
_IMAGES = ((SAME, 0), (_ONE_SAMPLE, 1), (_ONE_IMAGE, 2), (_CHANNELS_LAST, 0), (_ONE_CHANNELS_LAST, 1))


def worlds(roles: Mapping[str, Tensor], output: Tensor, spatial: int | None) -> Iterator[World]:
    """The worlds that fit the number of axes; PyTorch's own first.

    `spatial` is the number of spatial axes of an operation on images, None for one that takes any shape.
    """
    images = _image_layouts(roles["input"], spatial) if spatial else [SAME]
    for image in images:
        choices = [list(_choices(role, tensor, image, spatial)) for role, tensor in roles.items()]
        for chosen in product(*choices):
            yield World(dict(zip(roles, chosen, strict=True)), _of_output(image, output, spatial))


def _image_layouts(image: Tensor, spatial: int) -> list[Layout]:
    return [layout for layout, missing in _IMAGES if image.dim() + missing == spatial + 2]


def _of_output(image: Layout, output: Tensor, spatial: int | None) -> Layout:
    """The output is kept as the image is, unless it is kept as columns."""
    if spatial is None or output.dim() != spatial + 2 - dict(_IMAGES)[image]:
        return _reshaped(output)
    return image


def _reshaped(output: Tensor) -> Layout:
    """(N, O, L) for (N, O, *L): told apart by the operation's own output where they are compared."""
    shape = output.shape
    return Layout("reshaped", lambda t: t, lambda t: t.reshape(shape) if t.numel() == output.numel() else t)


def _choices(role: str, tensor: Tensor, image: Layout, spatial: int | None) -> Iterator[Layout]:
    if role == "input":
        yield image
        return
    kind = role.rstrip("12")
    yield from _weights(tensor, spatial) if kind == "weight" else [SAME]
    if kind in ("weight", "bias") and tensor.dim() != 1 and tensor.numel() == max(tensor.shape, default=1):
        yield _vector(tensor)


def _weights(tensor: Tensor, spatial: int | None) -> Iterator[Layout]:
    """A weight's layouts; those of a true convolution, which runs through its kernel backwards, last."""
    if spatial is None:
        yield SAME
        yield from [_TURNED] if tensor.dim() == 2 else []
        return
    plain = _KERNELS.get(tensor.dim() - spatial, ())
    yield from plain
    yield from (_backwards(layout, spatial) for layout in plain)


_KERNELS = {2: (SAME, _KERNEL_LAST, _CHANNELS_EXCHANGED), 1: (_DEPTHWISE,), 0: (_ONE_IMAGE,)}


def _backwards(layout: Layout, spatial: int) -> Layout:
    axes = tuple(range(2, 2 + spatial))

    def turned(tensor: Tensor) -> Tensor:
        return tensor.flip(axes) if tensor.dim() == 2 + spatial else tensor

    return Layout(f"{layout.name}, backwards", lambda t: turned(layout.to(t)), lambda t: layout.back(turned(t)), True)


def _vector(tensor: Tensor) -> Layout:
    """(1, O) or (1, C, 1, 1) → (O,)."""
    shape = tensor.shape
    return Layout("(O,)", lambda t: t.reshape(-1), lambda t: t.reshape(shape) if t.numel() == shape.numel() else t)
