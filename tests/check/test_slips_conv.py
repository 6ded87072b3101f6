"""Every slip of a convolution, each written as a person writes it, by loops and PyTorch's own functions."""

# ruff: noqa: ARG001, ARG005 - a backward pass is given what it may not need
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from making import case, cases_of
from torch import Tensor
from torch.nn import functional as F

from handgrad._check.diagnose import diagnose
from handgrad._check.operations import get

Options = dict[str, Any]


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def numbers(options: Options) -> tuple[tuple[int, int], ...]:
    """Stride, padding and dilation of each axis."""
    return tuple(pair(options.get(key, plain)) for key, plain in (("stride", 1), ("padding", 0), ("dilation", 1)))


def vjp(x: Tensor, w: Tensor, g: Tensor, wrt: str, options: Options) -> Tensor:
    """The true gradient of a conv2d by autograd, for operands that may be wrong; grad_output may be the smaller."""
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    y = F.conv2d(x, w, **options)
    return torch.autograd.grad(y, x if wrt == "x" else w, g)[0]


def padded(x: Tensor, options: Options) -> Tensor:
    (_, padding, _) = numbers(options)
    return F.pad(x, (padding[1], padding[1], padding[0], padding[0]))


def columns(x: Tensor, w: Tensor, options: Options) -> Tensor:
    stride, padding, dilation = numbers(options)
    return F.unfold(x, w.shape[2:], dilation, padding, stride)


def loop(g: Tensor, x: Tensor, w: Tensor, options: Options, add: bool) -> Tensor:
    """dx window by window, with `+=` or with `=`."""
    (sh, sw), (ph, pw), (dh, dw) = numbers(options)
    dx, (kh, kw) = torch.zeros_like(padded(x, options)), w.shape[2:]
    for i in range(g.shape[2]):
        for j in range(g.shape[3]):
            rows = slice(i * sh, i * sh + (kh - 1) * dh + 1, dh)
            cols = slice(j * sw, j * sw + (kw - 1) * dw + 1, dw)
            window = torch.einsum("no,ockl->nckl", g[:, :, i, j], w)
            dx[:, :, rows, cols] = dx[:, :, rows, cols] + window if add else window
    return dx[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]]


def gather(g: Tensor, x: Tensor, w: Tensor, options: Options) -> Tensor:
    """dw tap by tap from the padded image."""
    (sh, sw), _, (dh, dw) = numbers(options)
    image, result = padded(x, options), torch.zeros_like(w)
    for k in range(w.shape[2]):
        for l in range(w.shape[3]):
            rows = slice(k * dh, k * dh + (g.shape[2] - 1) * sh + 1, sh)
            cols = slice(l * dw, l * dw + (g.shape[3] - 1) * sw + 1, sw)
            result[:, :, k, l] = torch.einsum("nopq,ncpq->oc", g, image[:, :, rows, cols])
    return result


def ungrouped(function: Callable[..., Tensor]) -> Callable[..., Tensor | None]:
    """For slips that have nothing to do with groups: the truth where there are groups."""

    def wrong(g: Tensor, input: Tensor, weight: Tensor, bias: Tensor, **options: Any) -> Tensor:
        if options.get("groups", 1) > 1:
            return vjp(input, weight, g, function.__name__.split("_")[0][1:], options)
        return function(g, input, weight, options)

    return wrong


def dx_fold_forgotten(g, x, w, o):
    return w.reshape(w.shape[0], -1).T @ g.flatten(2)


def dx_columns_last(g, x, w, o):
    return (g.flatten(2).transpose(1, 2).reshape(-1, g.shape[1])) @ w.reshape(w.shape[0], -1)


def dx_columns_channels_last(g, x, w, o):
    """(N, L, K, C), as a window view of channels-last code gives them."""
    cols = w.flatten(2).permute(2, 1, 0)[None, None] @ g.flatten(2).mT[:, :, None, :, None]
    return cols[..., 0]


def dx_sideways(g, x, w, o):
    return vjp(x, w, g, "x", o).mT


def dx_not_cropped(g, x, w, o):
    return vjp(padded(x, o), w, g, "x", {**o, "padding": 0})


def dx_transposed_convolution_without_padding(g, x, w, o):
    stride, _, dilation = numbers(o)
    return F.conv_transpose2d(g, w, None, stride, 0, 0, 1, dilation)


def dx_first_corner(g, x, w, o):
    return dx_not_cropped(g, x, w, o)[:, :, : x.shape[2], : x.shape[3]]


def dx_last_corner(g, x, w, o):
    return dx_not_cropped(g, x, w, o)[:, :, -x.shape[2] :, -x.shape[3] :]


def dx_minus_pad(g, x, w, o):
    _, (ph, pw), _ = numbers(o)
    return dx_not_cropped(g, x, w, o)[:, :, ph:-ph, pw:-pw]


def dx_remainder_lost(g, x, w, o):
    stride, padding, dilation = numbers(o)
    return F.conv_transpose2d(g, w, None, stride, padding, 0, 1, dilation)


def dx_remainder_zero(g, x, w, o):
    part = dx_remainder_lost(g, x, w, o)
    return F.pad(part, (0, x.shape[3] - part.shape[3], 0, x.shape[2] - part.shape[2]))


def dx_kernel_as_it_is(g, x, w, o):
    return loop(g, x, w.flip(2, 3), o, add=True)


def dx_kernel_turned_upside_down(g, x, w, o):
    return loop(g, x, w.flip(2), o, add=True)


def dx_assigned(g, x, w, o):
    return loop(g, x, w, o, add=False)


def dx_averaged(g, x, w, o):
    stride, padding, dilation = numbers(o)
    size, kernel = x.shape[2:], w.shape[2:]
    cols = dx_fold_forgotten(g, x, w, o)
    count = F.fold(torch.ones_like(cols), size, kernel, dilation, padding, stride)
    return F.fold(cols, size, kernel, dilation, padding, stride) / count.clamp(min=1)


def dx_without_stride(g, x, w, o):
    _, padding, dilation = numbers(o)
    return F.conv_transpose2d(g, w, None, 1, padding, 0, 1, dilation)


def dx_without_dilation(g, x, w, o):
    stride, padding, _ = numbers(o)
    return F.conv_transpose2d(g, w, None, stride, padding)


def dx_without_dilation_in_place(g, x, w, o):
    return loop(g, x, w, {**o, "dilation": 1}, add=True)


def dx_kernel_mirrored(g, x, w, o):
    return loop(
        g, x, w.mT if w.shape[2] == w.shape[3] else w.reshape(*w.shape[:2], w.shape[3], w.shape[2]).mT, o, add=True
    )


def dx_channels_reshaped(g, x, w, o):
    other = w.reshape(w.shape[1], w.shape[0], *w.shape[2:]).transpose(0, 1)
    return loop(g, x, other, o, add=True)


def dx_columns_reshaped(g, x, w, o):
    stride, padding, dilation = numbers(o)
    cols = w.reshape(w.shape[0], -1).T @ g.permute(1, 0, 2, 3).reshape(g.shape[1], -1)  # (C·K, N·L)
    return F.fold(cols.reshape(g.shape[0], cols.shape[0], -1), x.shape[2:], w.shape[2:], dilation, padding, stride)


def dw_without_stride(g, x, w, o):
    return gather(g, x, w, {**o, "stride": 1})


def dw_without_dilation(g, x, w, o):
    return gather(g, x, w, {**o, "dilation": 1})


def dw_exchanged(g, x, w, o):
    stride, _, dilation = numbers(o)
    need = [
        (k - 1) * s + (n - 1) * d + 1 for k, s, n, d in zip(w.shape[2:], stride, g.shape[2:], dilation, strict=True)
    ]
    image = padded(x, o)
    image = F.pad(image, (0, max(0, need[1] - image.shape[3]), 0, max(0, need[0] - image.shape[2])))
    return gather(g, image, w, {"stride": dilation, "dilation": stride})


def dw_without_padding(g, x, w, o):
    _, (ph, pw), _ = numbers(o)
    return gather(g, F.pad(x, (0, 2 * pw, 0, 2 * ph)), w, {**o, "padding": 0})


def dw_mirrored_stride(g, x, w, o):
    stride, _, dilation = numbers(o)
    image = F.pad(padded(x, o), (0, 40, 0, 40))
    return gather(g, image, w, {"stride": stride[::-1], "dilation": dilation})


def dw_flipped(g, x, w, o):
    return gather(g, x, w, o).flip(2, 3)


def dw_mirrored(g, x, w, o):
    return gather(g, x, w, o).transpose(2, 3)


def dw_channels_first(g, x, w, o):
    return gather(g, x, w, o).transpose(0, 1)


def dw_channels_reshaped(g, x, w, o):
    return gather(g, x, w, o).transpose(0, 1).reshape(w.shape)


def dw_columns_reshaped(g, x, w, o):
    cols = columns(x, w, o)
    return (g.permute(1, 0, 2, 3).reshape(g.shape[1], -1) @ cols.reshape(cols.shape[1], -1).T).reshape(w.shape)


def dw_grad_reshaped(g, x, w, o):
    cols = columns(x, w, o).permute(1, 0, 2)
    return (g.reshape(g.shape[1], -1) @ cols.reshape(cols.shape[0], -1).T).reshape(w.shape)


def dw_per_sample(g, x, w, o):
    return torch.stack([gather(g[i : i + 1], x[i : i + 1], w, o) for i in range(len(g))])


def dw_flattened(g, x, w, o):
    return gather(g, x, w, o).flatten(1)


def dw_last_position(g, x, w, o):
    last = torch.zeros_like(g)
    last[:, :, -1, -1] = g[:, :, -1, -1]
    return gather(last, x, w, o)


def dw_of_last_sample(g, x, w, o):
    return gather(g[-1:], x[-1:], w, o)


SLIPS = [
    (dx_fold_forgotten, "column-form"),
    (dx_columns_last, "column-form"),
    (dx_sideways, "height-width-swapped"),
    (dx_columns_channels_last, "column-form"),
    (dx_not_cropped, "padding-not-cropped"),
    (dx_first_corner, "wrong-crop"),
    (dx_last_corner, "wrong-crop"),
    (dx_minus_pad, "wrong-crop"),
    (dx_remainder_lost, "tail-lost"),
    (dx_remainder_zero, "tail-lost"),
    (dx_kernel_as_it_is, "kernel-not-flipped"),
    (dx_kernel_turned_upside_down, "kernel-not-flipped"),
    (dx_assigned, "overwrite-instead-of-accumulate"),
    (dx_averaged, "averaged-overlap"),
    (dx_without_stride, "stride-ignored"),
    (dx_without_dilation_in_place, "dilation-ignored"),
    (dx_kernel_mirrored, "kernel-axes-transposed"),
    (dx_channels_reshaped, "channels-swapped"),
    (dx_columns_reshaped, "reshape-instead-of-permute"),
    (dw_without_stride, "stride-ignored"),
    (dw_without_dilation, "dilation-ignored"),
    (dw_exchanged, "stride-dilation-swapped"),
    (dw_without_padding, "padding-ignored"),
    (dw_mirrored_stride, "height-width-swapped"),
    (dw_flipped, "kernel-flipped"),
    (dw_mirrored, "kernel-axes-transposed"),
    (dw_channels_first, "channels-swapped"),
    (dw_channels_reshaped, "channels-swapped"),
    (dw_columns_reshaped, "reshape-instead-of-permute"),
    (dw_grad_reshaped, "reshape-instead-of-permute"),
    (dw_per_sample, "missing-batch-sum"),
    (dw_flattened, "wrong-rank"),
    (dw_last_position, "overwrite-instead-of-accumulate"),
    (dw_of_last_sample, "one-sample-only"),
]


def causes_of(role: str, wrong: Callable[..., Any], operation: str = "conv2d", known: bool = True) -> list[str]:
    cases = cases_of(operation, role, wrong, known)
    bad = [case for case in cases if not case.is_right(role)]
    assert bad, "the slip does not show in any setting"
    return [finding.cause for finding in diagnose(bad, role, cases)]


@pytest.mark.parametrize(("wrong", "cause"), SLIPS, ids=lambda value: getattr(value, "__name__", value))
def test_a_slip_of_a_convolution_is_named(wrong, cause):
    role = "input" if wrong.__name__.startswith("dx") else "weight"
    assert causes_of(role, ungrouped(wrong)) == [cause]


def groups(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """For slips in the groups: the truth where there are none."""

    def wrong(g: Tensor, input: Tensor, weight: Tensor, bias: Tensor, **options: Any) -> Tensor:
        if options.get("groups", 1) == 1:
            return vjp(input, weight, g, function.__name__.split("_")[0][1:], options)
        return function(g, input, weight, options)

    return wrong


def dw_dense(g, x, w, o):
    return gather(g, x, torch.zeros(g.shape[1], x.shape[1], *w.shape[2:], dtype=w.dtype), o)


def dw_first_block(g, x, w, o):
    return dw_dense(g, x, w, o)[:, : w.shape[1]]


def dw_blocks_interleaved(g, x, w, o):
    right = vjp(x, w, g, "w", o)
    return right.reshape(o["groups"], -1, *w.shape[1:]).transpose(0, 1).reshape(w.shape)


def dw_channels_in_turn(g, x, w, o):
    order = torch.arange(x.shape[1]).reshape(-1, o["groups"]).T.flatten()
    return vjp(x[:, order], w, g, "w", o)


def dx_blocks_reversed(g, x, w, o):
    return torch.cat(vjp(x, w, g, "x", o).chunk(o["groups"], 1)[::-1], 1)


GROUPS = [
    (dw_dense, "groups-ignored"),
    (dw_first_block, "groups-ignored"),
    (dw_blocks_interleaved, "groups-permuted"),
    (dw_channels_in_turn, "groups-permuted"),
    (dx_blocks_reversed, "groups-permuted"),
]


@pytest.mark.parametrize(("wrong", "cause"), GROUPS, ids=lambda value: getattr(value, "__name__", value))
def test_a_slip_in_the_groups_is_named_though_most_settings_have_none(wrong, cause):
    role = "input" if wrong.__name__.startswith("dx") else "weight"
    assert causes_of(role, groups(wrong)) == [cause]


def test_two_slips_in_different_branches_are_both_named():
    def wrong(g, input, weight, bias, **options):
        if options.get("groups", 1) > 1:
            return dw_first_block(g, input, weight, options)
        return dw_without_stride(g, input, weight, options)

    assert sorted(causes_of("weight", wrong)) == ["groups-ignored", "stride-ignored"]


PAIRS = [
    (lambda g, x, w, o: dw_per_sample(g, x, w, o) / g.shape[0], {"missing-batch-sum", "mean-instead-of-sum"}),
    (lambda g, x, w, o: -dw_flipped(g, x, w, o), {"kernel-flipped", "wrong-sign"}),
    (lambda g, x, w, o: dw_channels_first(g, x, w, o).flatten(1), {"channels-swapped", "wrong-rank"}),
    (lambda g, x, w, o: dw_without_stride(g, x, w, {**o, "dilation": 1}), {"stride-ignored", "dilation-ignored"}),
    (lambda g, x, w, o: dw_without_stride(torch.ones_like(g), x, w, o), {"stride-ignored", "grad-output-ignored"}),
    (lambda g, x, w, o: 2 * dw_of_last_sample(g, x, w, o), {"one-sample-only", "scale-factor"}),
    (lambda g, x, w, o: dw_without_stride(g, x, w, o).transpose(0, 1), {"stride-ignored", "channels-swapped"}),
]


@pytest.mark.parametrize(
    ("wrong", "causes"), PAIRS, ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else ""
)
def test_two_slips_in_one_gradient_are_both_named(wrong, causes):
    def dw(g, x, w, o):
        return wrong(g, x, w, o)

    assert set(causes_of("weight", ungrouped(dw))) == causes


OTHER_CONVOLUTIONS = [
    ("conv1d", "input", lambda g, x, w: w.flip(-1), "kernel-not-flipped"),
    ("conv3d", "input", lambda g, x, w: w.flip(2, 3, 4), "kernel-not-flipped"),
    ("conv_transpose2d", "input", lambda g, x, w: w.flip(2, 3), "kernel-flipped"),
    ("conv_transpose1d", "input", lambda g, x, w: w.flip(2), "kernel-flipped"),
]


@pytest.mark.parametrize(("name", "role", "change", "cause"), OTHER_CONVOLUTIONS)
def test_a_flipped_kernel_is_named_in_every_dimension(name, role, change, cause):
    function = getattr(F, name)

    def wrong(g, input, weight, bias, **options):
        x = input.clone().requires_grad_()
        return torch.autograd.grad(function(x, change(g, input, weight), **options), x, g)[0]

    assert causes_of(role, wrong, name) == [cause]


def test_what_no_slip_explains_is_not_named():
    def dw(g, x, w, o):
        return gather(g, x, w, o) * torch.cos(w)

    def dx(g, x, w, o):
        return loop(g, x, w, o, add=True) * (1 + 0.1 * torch.cos(x))

    assert causes_of("weight", ungrouped(dw)) == ["unexplained"]
    assert causes_of("input", ungrouped(dx)) == ["unexplained"]


def dw_samples_fastest(g, x, w, o):
    """grad_output laid out with the samples fastest, beside columns that have the positions fastest."""
    cols = columns(x, w, o).permute(1, 0, 2).flatten(1)  # (C·K, N·L)
    return (g.permute(1, 2, 3, 0).reshape(g.shape[1], -1) @ cols.T).reshape(w.shape)


def dx_padded_with_the_other_axis(g, x, w, o):
    (kh, kw), _ = w.shape[2:], numbers(o)
    return F.conv2d(F.pad(g, (kh - 1, kh - 1, kw - 1, kw - 1)), w.flip(2, 3).transpose(0, 1))


def dw_not_cropped_to_the_kernel(g, x, w, o):
    stride, padding, dilation = numbers(o)
    return F.conv2d(x.transpose(0, 1), g.transpose(0, 1), None, dilation, padding, stride).transpose(0, 1)


def dx_folded_sideways(g, x, w, o):
    stride, padding, dilation = (numbers[::-1] for numbers in numbers(o))
    return F.fold(w.flatten(1).T @ g.flatten(2), x.shape[:1:-1], w.shape[:1:-1], dilation, padding, stride)


def test_a_fold_with_width_and_height_exchanged():
    assert causes_of("input", ungrouped(dx_folded_sideways)) == ["height-width-swapped"]

    def dx_of_the_right_shape(g, x, w, o):
        return dx_folded_sideways(g, x, w, o).reshape(x.shape)

    assert causes_of("input", ungrouped(dx_of_the_right_shape)) == ["height-width-swapped"]


def dx_cropped_by_the_other_padding(g, x, w, o):
    _, (ph, pw), _ = numbers(o)
    whole = loop(g, padded(x, o), w, {**o, "padding": 0}, add=True)  # of the padded image
    return whole[:, :, pw : pw + x.shape[2], ph : ph + x.shape[3]]  # which may end before


def dw_without_the_stride_of_the_rows(g, x, w, o):
    (_, sw), *_ = numbers(o)
    return gather(g, x, w, {**o, "stride": (1, sw)})


def dx_of_a_square_on_its_side(g, x, w, o):
    return loop(g.mT if g.shape[2] == g.shape[3] else g, x, w, o, add=True)


def dx_part(g, x, w, o):
    return loop(g, x, w, o, add=True)[:, :, 2:, 1:4]


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (dx_cropped_by_the_other_padding, "height-width-swapped"),
        (dw_without_the_stride_of_the_rows, "stride-ignored"),
        (dx_part, "wrong-crop"),
    ],
)
def test_what_goes_wrong_along_one_axis(wrong, cause):
    role = "input" if wrong.__name__.startswith("dx") else "weight"
    assert causes_of(role, ungrouped(wrong)) == [cause]


def test_a_full_correlation_without_the_flip_and_with_one_padding_for_both_axes():
    def wrong(g, input, weight, bias, **options):
        k = weight.shape[-1]
        return F.conv2d(F.pad(g, [k - 1] * 4), weight.transpose(0, 1))

    def draw(kernel, size):
        inputs = {"input": torch.randn(2, 3, *size).double(), "weight": torch.randn(4, 3, *kernel).double()}
        return case(F.conv2d, {**inputs, "bias": torch.randn(4).double()}, "input", wrong, get("conv2d"))

    found = diagnose([draw((3, 2), (7, 8)), draw((3, 3), (6, 9))], "input")
    assert [finding.cause for finding in found] == ["kernel-not-flipped", "height-width-swapped"]


def test_a_full_correlation_padded_for_the_other_axis_and_forced_into_shape():
    def wrong(g, input, weight, bias):
        (kh, kw), (h, w) = weight.shape[2:], input.shape[2:]
        dx = F.conv2d(F.pad(g, (kh - 1, kh - 1, kw - 1, kw - 1)), weight.flip(2, 3).transpose(0, 1))
        return F.pad(dx, (0, w - dx.shape[3], 0, h - dx.shape[2]))

    def draw(kernel, size):
        inputs = {"input": torch.randn(2, 3, *size).double(), "weight": torch.randn(4, 3, *kernel).double()}
        return case(F.conv2d, {**inputs, "bias": torch.randn(4).double()}, "input", wrong, get("conv2d"))

    found = diagnose([draw((3, 2), (7, 8)), draw((2, 4), (6, 9))], "input")
    assert [finding.cause for finding in found] == ["height-width-swapped"]


def test_channels_exchanged_in_one_gradient_a_sample():
    def dw(g, x, w, o):
        return dw_per_sample(g, x, w, o).transpose(1, 2)

    assert set(causes_of("weight", ungrouped(dw))) == {"missing-batch-sum", "channels-swapped"}


def test_the_kernel_as_it_is_neither_flipped_nor_its_channels_exchanged():
    def wrong(g, input, weight, bias, padding):
        return F.conv2d(g, weight, padding=padding)

    def draw(channels, size):
        inputs = {"input": torch.randn(2, channels, *size).double()}
        inputs |= {"weight": torch.randn(channels, channels, 3, 3).double(), "bias": torch.randn(channels).double()}
        return case(F.conv2d, inputs, "input", wrong, get("conv2d"), {"padding": 1})

    found = diagnose([draw(3, (6, 7)), draw(4, (5, 8))], "input")
    assert [finding.cause for finding in found] == ["kernel-not-flipped", "channels-swapped"]


@pytest.mark.parametrize("at", [(-1, -1), (0, slice(None))])
def test_one_position_of_the_input_of_a_transposed_convolution(at):
    def wrong(g, input, weight, bias, **options):
        kept, w = torch.zeros_like(input), weight.clone().requires_grad_()
        kept[:, :, *at] = input[:, :, *at]
        return torch.autograd.grad(F.conv_transpose2d(kept, w, **options), w, g)[0]

    assert causes_of("weight", wrong, "conv_transpose2d") == ["overwrite-instead-of-accumulate"]


def test_a_square_grad_output_read_column_by_column():
    cases = cases_of("conv2d", "input", ungrouped(dx_of_a_square_on_its_side), only="square")
    (finding,) = diagnose(cases, "input")
    assert finding.cause == "height-width-swapped"


@pytest.mark.parametrize(("start", "cause"), [(0, "wrong-crop"), (1, "wrong-crop"), (None, "padding-not-cropped")])
def test_the_wrong_part_of_what_is_padded_at_the_beginning_only(start, cause):
    def wrong(g, input, weight, bias, **options):
        whole = F.conv_transpose1d(g, weight, stride=options["stride"])  # begins kernel − 1 before the image
        whole = F.pad(whole, (0, input.shape[2] + sum(options["padding"][0]) - whole.shape[2]))
        return whole if start is None else whole[:, :, start : start + input.shape[2]]

    assert causes_of("input", wrong, "uneven_conv1d") == [cause]


def test_dx_of_a_true_convolution_by_another_one():
    x, w = torch.randn(9, dtype=torch.float64), torch.randn(3, dtype=torch.float64)

    def forward(x, w):
        return F.conv1d(x[None, None], w.flip(0)[None, None])[0, 0]

    def convolved(g, x, w):  # np.convolve(g, w, "full")
        return F.conv1d(g[None, None], w.flip(0)[None, None], padding=2)[0, 0]

    draws = [case(forward, {"x": x[:size], "w": w}, "x", convolved, get("conv1d")) for size in (9, 7)]
    (finding,) = diagnose(draws, "x")
    assert finding.cause == "kernel-not-flipped"
    assert "the forward pass convolves" in finding.message


UNKNOWN = [
    (dw_samples_fastest, "reshape-instead-of-permute"),
    (dw_flipped, "kernel-flipped"),
    (dw_last_position, "overwrite-instead-of-accumulate"),
    (dx_not_cropped, "padding-not-cropped"),
    (dx_first_corner, "wrong-crop"),
    (dx_last_corner, "wrong-crop"),
]


@pytest.mark.parametrize(("wrong", "cause"), UNKNOWN, ids=lambda value: getattr(value, "__name__", value))
def test_what_shows_in_the_values_is_named_without_knowing_the_operation(wrong, cause):
    role = "input" if wrong.__name__.startswith("dx") else "weight"
    assert causes_of(role, ungrouped(wrong), known=False) == [cause]


def test_a_convolution_that_gives_dw_is_larger_than_the_kernel_where_the_stride_leaves_a_remainder():
    assert causes_of("weight", ungrouped(dw_not_cropped_to_the_kernel)) == ["wrong-crop"]


def test_the_padding_of_a_full_correlation_for_the_other_axis():
    def wrong(g, input, weight, bias, **options):
        plain = (
            options["stride"] == (1, 1) == options["dilation"]
            and not any(options["padding"])
            and "groups" not in options
        )
        return (
            dx_padded_with_the_other_axis(g, input, weight, options) if plain else vjp(input, weight, g, "x", options)
        )

    def cases(kernel, size):
        inputs = {"input": torch.randn(2, 3, *size).double(), "weight": torch.randn(4, 3, *kernel).double()}
        options = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
        inputs["bias"] = torch.randn(4).double()
        return case(F.conv2d, inputs, "input", wrong, get("conv2d"), options)

    draws = [cases((3, 2), (7, 8)), cases((2, 4), (9, 8))]
    assert [f.cause for f in diagnose(draws, "input")] == ["height-width-swapped"]


@pytest.mark.parametrize(
    ("code", "flip", "corner"),
    [
        ("", "kernel-not-flipped", "wrong-crop"),
        ("dx[:, :, i:i + k] += w[:, :, ::-1] * g", "kernel-flipped", "padding-ignored"),
        ("x_pad = np.pad(x, p)\nreturn correlate2d(g, w)", "kernel-not-flipped", "wrong-crop"),
    ],
)
def test_the_code_tells_slips_apart_that_have_the_same_values(code, flip, corner):
    def named(wrong):
        cases = [replace(one, code=code) for one in cases_of("conv2d", "input", ungrouped(wrong))]
        return [f.cause for f in diagnose([one for one in cases if not one.is_right("input")], "input", cases)]

    assert named(dx_kernel_as_it_is) == [flip]
    assert named(dx_first_corner) == [corner]


def test_a_slip_of_a_convolution_before_its_activation_is_named():
    def wrong(g, input, weight, bias, **options):
        dz = g * (F.conv2d(input, weight, bias, **options) > 0)
        if "groups" in options:
            return vjp(input, weight, dz, "x", options)
        return dx_kernel_as_it_is(dz, input, weight, options)

    assert causes_of("input", wrong, "conv2d+relu") == ["kernel-not-flipped"]


def test_a_convolution_that_gives_dw_with_the_forwards_own_stride_and_dilation():
    def dw(g, x, w, o):
        stride, padding, dilation = numbers(o)
        return F.conv2d(x.transpose(0, 1), g.transpose(0, 1), None, stride, padding, dilation).transpose(0, 1)

    assert causes_of("weight", ungrouped(dw)) == ["stride-dilation-swapped"]
