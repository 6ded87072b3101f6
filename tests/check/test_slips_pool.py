"""Slips of pooling, written window by window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from making import case, cases_of
from torch import Tensor
from torch.nn import functional as F

from handgrad._check.diagnose import diagnose
from handgrad._check.operations import get


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def windows(
    g: Tensor, x: Tensor, o: dict[str, Any], fill: float, share: Callable[[Tensor], Tensor], add: bool = True
) -> Tensor:
    """The gradient of the padded image; `share` says what each place of a window gets of its grad_output."""
    (kh, kw), (sh, sw), (ph, pw) = (pair(o[key]) for key in ("kernel_size", "stride", "padding"))
    image = F.pad(x, (pw, pw, ph, ph), value=fill)
    out = torch.zeros_like(image)
    for i in range(g.shape[2]):
        for j in range(g.shape[3]):
            place = (..., slice(i * sh, i * sh + kh), slice(j * sw, j * sw + kw))
            part = share(image[place]) * g[:, :, i, j, None, None]
            out[place] = out[place] + part if add else part
    return out


def crop(full: Tensor, x: Tensor, o: dict[str, Any]) -> Tensor:
    ph, pw = pair(o["padding"])
    return full[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]]


def first_maximum(window: Tensor) -> Tensor:
    flat = window.flatten(2)
    return F.one_hot(flat.argmax(2), flat.shape[2]).double().reshape(window.shape)


def every_maximum(window: Tensor) -> Tensor:
    return (window == window.amax((2, 3), keepdim=True)).double()


def average(window: Tensor) -> Tensor:
    return torch.full_like(window, 1 / (window.shape[2] * window.shape[3]))


def max_dx(g, input, share=first_maximum, add=True, **o):
    return crop(windows(g, input, o, float("-inf"), share, add), input, o)


def avg_dx(g, input, share=average, add=True, **o):
    return crop(windows(g, input, o, 0.0, share, add), input, o)


def overlaps(input, **o):
    """How many windows cover each pixel."""
    return crop(windows(torch.ones_like(F.avg_pool2d(input, **o)), input, o, 0.0, torch.ones_like), input, o)


def unpooled(g, input, **o):
    y, index = F.max_pool2d(input, **o, return_indices=True)
    dx = torch.zeros_like(input).flatten(2)
    for place in range(y[0, 0].numel()):
        dx.scatter_(2, index.flatten(2)[:, :, place, None], g.flatten(2)[:, :, place, None])
    return dx.reshape(input.shape)


def remainder_lost(g, input, **o):
    dx = avg_dx(g, input, **o)
    lost = [
        (n + 2 * p - k) % s
        for n, p, k, s in zip(
            dx.shape[2:], *(pair(o[key]) for key in ("padding", "kernel_size", "stride")), strict=True
        )
    ]
    return dx[:, :, : dx.shape[2] - lost[0], : dx.shape[3] - lost[1]]


def remainder_zero(g, input, **o):
    part = remainder_lost(g, input, **o)
    return F.pad(part, (0, input.shape[3] - part.shape[3], 0, input.shape[2] - part.shape[2]))


SLIPS = [
    ("max_pool2d", "overwrite-instead-of-accumulate", lambda g, **o: max_dx(g, **o, add=False)),
    ("max_pool2d", "overwrite-instead-of-accumulate", unpooled),
    ("max_pool2d", "ties-counted-twice", lambda g, **o: max_dx(g, **o, share=every_maximum)),
    ("max_pool2d", "mask-missing", lambda g, **o: max_dx(g, **o, share=torch.ones_like)),
    ("max_pool2d", "mask-from-wrong-tensor", lambda g, **o: max_dx(g, **o, share=lambda w: 1 - every_maximum(w))),
    ("max_pool2d", "padding-not-cropped", lambda g, input, **o: windows(g, input, o, float("-inf"), first_maximum)),
    ("avg_pool2d", "overwrite-instead-of-accumulate", lambda g, **o: avg_dx(g, **o, add=False)),
    ("avg_pool2d", "averaged-overlap", lambda g, input, **o: avg_dx(g, input, **o) / overlaps(input, **o).clamp(min=1)),
    ("avg_pool2d", "scale-factor", lambda g, **o: avg_dx(g, **o, share=torch.ones_like)),
    ("avg_pool2d", "tail-lost", remainder_lost),
    ("avg_pool2d", "tail-lost", remainder_zero),
    ("avg_pool2d", "stride-ignored", lambda g, **o: avg_dx(g, **{**o, "stride": 1})),
    ("avg_pool2d", "padding-not-cropped", lambda g, input, **o: windows(g, input, o, 0.0, average)),
]


@pytest.mark.parametrize(("name", "cause", "wrong"), SLIPS)
def test_a_slip_of_pooling_is_named(name, cause, wrong):
    cases = cases_of(name, "input", wrong)
    bad = [case for case in cases if not case.is_right("input")]
    assert bad
    assert [finding.cause for finding in diagnose(bad, "input", cases)] == [cause]


def test_the_number_of_places_in_a_window_is_named():
    cases = cases_of("avg_pool2d", "input", lambda g, **o: avg_dx(g, **o, share=torch.ones_like))
    (finding,) = diagnose(cases, "input", cases)
    assert "yours is K = " in finding.message


@pytest.mark.parametrize(
    "right",
    [
        lambda g, **o: max_dx(g, **o),
        lambda g, **o: max_dx(
            g, **o, share=lambda window: every_maximum(window) / every_maximum(window).sum((2, 3), keepdim=True)
        ),
        lambda g, **o: max_dx(g, **o, share=lambda window: first_maximum(window.flip(2, 3)).flip(2, 3)),
    ],
    ids=["first", "shared", "last"],
)
def test_every_convention_for_tied_maxima_that_keeps_the_sum_is_right(right):
    assert diagnose(cases_of("max_pool2d", "input", right), "input") == ()


def test_a_pooling_folded_with_width_and_height_exchanged():
    def wrong(g, input, kernel_size, stride, padding):
        (kh, kw), (sh, sw), (ph, pw) = (v if isinstance(v, tuple) else (v, v) for v in (kernel_size, stride, padding))
        cols = g.flatten(2)[:, :, None].expand(-1, -1, kh * kw, -1).flatten(1, 2) / (kh * kw)
        return F.fold(cols, input.shape[:1:-1], (kw, kh), 1, (pw, ph), (sw, sh))

    (finding,) = diagnose(cases_of("avg_pool2d", "input", wrong, only="R"), "input")
    assert finding.cause == "height-width-swapped"


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_windows_reshaped_into_the_image_side_by_side(name):
    def wrong(g, input, kernel_size):
        k, (n, c, h, w) = kernel_size, input.shape
        windows = input.reshape(n, c, h // k, k, w // k, k).transpose(3, 4).flatten(4)  # (N, C, H′, W′, k·k)
        shares = torch.full_like(windows, 1 / k**2)
        if name == "max_pool2d":
            shares = F.one_hot(windows.argmax(-1), k**2).double()
        return (g[..., None] * shares).reshape(input.shape)

    draws = [
        case(getattr(F, name), {"input": torch.randn(size).double()}, "input", wrong, get(name), {"kernel_size": 2})
        for size in ((2, 3, 6, 4), (3, 2, 4, 8))
    ]
    assert [finding.cause for finding in diagnose(draws, "input")] == ["reshape-instead-of-permute"]


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_windows_that_lie_on_their_side(name: str) -> None:
    def wrong(g: Tensor, input: Tensor, **o: Any) -> Tensor:
        o = {key: pair(value)[::-1] for key, value in o.items()}
        x = F.pad(input, (0, 20, 0, 20), value=-torch.inf)  # so that every window has room
        share = (
            (lambda w: (w == w.amax((2, 3), keepdim=True)) & (w > -torch.inf))
            if name == "max_pool2d"
            else torch.ones_like
        )
        dx = crop(windows(g, x, o, -torch.inf, share), x, o)[:, :, : input.shape[2], : input.shape[3]]
        return dx if name == "max_pool2d" else dx / (pair(o["kernel_size"])[0] * pair(o["kernel_size"])[1])

    cases = cases_of(name, "input", wrong, only="R")
    assert [finding.cause for finding in diagnose(cases, "input", cases)] == ["height-width-swapped"]
