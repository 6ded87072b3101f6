"""Somebody's picture, whatever its size and mode, as the network's images are; and what was done to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from handgrad._errors import HandgradError

from .facts import Facts
from .images import border_of, ink

PADDED, LONG = 16, 2048  # times as many pixels; pixels along the longer side
SMALL = 0.8  # of the training images' fill; what fills less is cut out


def read(path: Path, facts: Facts) -> tuple[Tensor, list[str]]:
    """(1, C, H, W) in the range of the stored pixels, and a note for each step that changed something.

    What is transparent becomes background. For a network that sees grey, colours become grey, light and dark are
    exchanged if the background (the median of the border) is light and that of the training images dark or the other
    way round, and margins much wider than theirs are cut. The picture is scaled without distortion and what is left
    filled with its background. Raises HandgradError, naming the file, where it is no picture.
    """
    channels, height, width = facts.shape
    if channels not in (1, 3):
        raise HandgradError(f"{path}: the network takes images of {channels} channels, a picture has 1 or 3")
    picture, notes = _in_mode(_opened(path), "L" if channels == 1 else "RGB")
    x = _pixels(picture)
    if channels == 1 and (border_of(x).median() < 0.5) != facts.scaling.dark:
        x = 1 - x
        notes.append("inverted")
    background = border_of(x).median()
    if channels == 1 and x.shape[2:] != (height, width):
        x, cut = _without_margins(x, background, facts.scaling.fill)
        notes += ["margins cut"] if cut else []
    if x.shape[2:] != (height, width):
        notes.append(f"resized from {x.shape[3]}x{x.shape[2]} to {width}x{height}")
        x = _fitted(x, height, width, float(background))
    low, high = facts.scaling.low, facts.scaling.high
    return low + x * (high - low), notes


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            upright.load()
            return upright
    except UnidentifiedImageError as problem:
        raise HandgradError(f"{path}: not a picture in a format known here") from problem
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise HandgradError(f"{path}: cannot be read: {getattr(problem, 'strerror', None) or problem}") from problem


def _in_mode(picture: Image.Image, mode: str) -> tuple[Image.Image, list[str]]:
    """In grey (L) or colours (RGB)."""
    notes = []
    if picture.has_transparency_data:
        picture, ground = _opaque(picture.convert("RGBA"))
        notes += [f"laid over {ground}"] if ground else []
    if picture.mode.startswith(("I", "F")):  # 16 or 32 bits: converting would cut them off instead of scaling
        values = np.asarray(picture, dtype=np.float64)
        highest = max(float(values.max()), 1 if picture.mode == "F" else 65535)
        picture = Image.fromarray((values * (255 / highest)).astype(np.uint8))
        notes.append("scaled to 8 bits")
    if picture.mode != mode:
        notes.append("turned to grey" if mode == "L" else "turned to RGB")
    return picture.convert(mode), notes


def _opaque(picture: Image.Image) -> tuple[Image.Image, str]:
    """An RGBA picture over white, or over black where what is seen is light; and which, if anything shows through."""
    grey, alpha = (np.asarray(band, dtype=np.float64) for band in (picture.convert("L"), picture.getchannel("A")))
    if alpha.min() == 255:
        return picture, ""
    ground = "black" if (grey * alpha).sum() > 127 * alpha.sum() else "white"
    return Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture), ground


def _pixels(picture: Image.Image) -> Tensor:
    """(H, W) or (H, W, C) of 0..255 to (1, C, H, W) of 0..1."""
    values = torch.from_numpy(np.array(picture, dtype=np.float32)) / 255
    return values.view(*values.shape[:2], -1).movedim(-1, 0)[None]


def _without_margins(x: Tensor, background: Tensor, fill: float) -> tuple[Tensor, bool]:
    """If what is drawn is small for its frame: a square around it, so wide that it fills as much as `fill`."""
    height, width, top, left = ink(x[:, 0], background)[0].tolist()
    if max(height / x.shape[2], width / x.shape[3]) >= SMALL * fill:
        return x, False
    side = round(max(height, width) / fill)
    above, before = (side - height) // 2, (side - width) // 2
    margins = (before - left, side - before + left - x.shape[3], above - top, side - above + top - x.shape[2])
    return F.pad(x, margins, value=float(background)), True  # negative margins cut


def _fitted(x: Tensor, height: int, width: int, background: float) -> Tensor:
    """Padded to the shape's proportions and scaled to it: averaged when it shrinks, interpolated when it grows.

    A picture so long that it would be padded to more than `PADDED` of its pixels is shortened to `LONG` first.
    """
    if max(x.shape[2:]) ** 2 > PADDED * max(x.shape[2] * x.shape[3], LONG**2 // PADDED):
        high, wide = (max(1, size * LONG // max(x.shape[2:])) for size in x.shape[2:])
        x = F.adaptive_avg_pool2d(x, (high, wide))
    needed_width = max(x.shape[3], round(x.shape[2] * width / height))
    needed_height = max(x.shape[2], round(x.shape[3] * height / width))
    left, top = (needed_width - x.shape[3]) // 2, (needed_height - x.shape[2]) // 2
    sides = (left, needed_width - x.shape[3] - left, top, needed_height - x.shape[2] - top)
    padded = F.pad(x, sides, value=background)
    if needed_height >= height and needed_width >= width:
        return F.interpolate(padded, (height, width), mode="area")
    return F.interpolate(padded, (height, width), mode="bilinear", align_corners=False)
