"""Reference operations: their forward passes, the settings of MISTAKES.md, and telling them from tensors alone."""

# ruff: noqa: ARG005 - a backward pass is given what it may not need
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from making import cases_of
from torch import Tensor
from torch.nn import functional as F

import handgrad as hg
from handgrad._check.operations import get, names, recognise
from handgrad._check.operations._law import Axis, columns, conv, conv_input, conv_weight, fold
from handgrad._check.operations.binding import fitting
from handgrad._check.slips.draw import Draw

DECLARABLE = {
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "relu"),
    *("max_pool2d", "avg_pool2d", "batch_norm", "layer_norm", "softmax", "cross_entropy", "attention"),
}


def test_every_operation_that_can_be_declared_is_there():
    assert set(names()) >= DECLARABLE


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(hg.HandgradError, match=r"no operation is called 'conv9d'\.\n.*conv2d"):
        get("conv9d")


@pytest.mark.parametrize("name", names())
def test_every_setting_runs_and_no_two_have_the_same_sizes(name):
    operation = get(name)
    settings = operation.settings()
    for setting in settings:
        inputs = setting.inputs()
        assert set(inputs) <= set(operation.roles)
        assert torch.isfinite(operation.forward(inputs, setting.options)).all()
    assert len(settings) >= 2
    assert len({tuple(setting.sizes.values()) for setting in settings}) >= 2


@pytest.mark.parametrize(
    ("name", "output"), [("R1", (6, 5, 3, 7)), ("R2", (4, 2, 8, 2)), ("R3", (2, 4, 6, 8)), ("R4", (2, 4, 4, 13))]
)
def test_the_four_settings_of_a_convolution(name, output):
    operation = get("conv2d")
    setting = next(one for one in operation.settings() if one.name == name)
    assert operation.forward(setting.inputs(), setting.options).shape == output


def test_a_setting_draws_the_same_inputs_for_the_same_seed():
    setting = get("max_pool2d").settings()[-1]
    assert setting.name == "ties"
    assert torch.equal(setting.inputs(3)["input"], setting.inputs(3)["input"])
    assert not torch.equal(setting.inputs(3)["input"], setting.inputs(4)["input"])
    assert len(setting.inputs()["input"].unique()) == 3


AXES = (Axis(10, 4, 3, 3, 2, 2), Axis(14, 3, 7, 2, 1, 1))  # R1


def test_the_law_in_tables_is_the_convolution():
    x, w = torch.randn(6, 4, 10, 14, dtype=torch.float64), torch.randn(6, 2, 4, 3, dtype=torch.float64)
    options: dict[str, Any] = {"stride": (3, 2), "padding": (2, 1), "dilation": (2, 1), "groups": 2}
    x.requires_grad_()
    w.requires_grad_()
    y = F.conv2d(x, w, **options)
    g = torch.randn_like(y)
    dx, dw = torch.autograd.grad(y, (x, w), g)
    torch.testing.assert_close(conv(x, w, AXES, 2), y)
    torch.testing.assert_close(conv_input(w, g, AXES, 2), dx)
    torch.testing.assert_close(conv_weight(columns(x, AXES), g, 2, 2), dw)


def test_columns_and_fold_are_pytorchs():
    x = torch.randn(2, 3, 10, 14, dtype=torch.float64)
    cols = F.unfold(x, (4, 3), (2, 1), (2, 1), (3, 2))
    torch.testing.assert_close(columns(x, AXES).reshape(cols.shape), cols)
    back = F.fold(cols, (10, 14), (4, 3), (2, 1), (2, 1), (3, 2))
    torch.testing.assert_close(fold(columns(x, AXES), AXES), back)


@pytest.mark.parametrize("name", [name for name in names() if "+" not in name and name != "matmul"])
def test_an_operation_is_recognised_by_its_values(name):
    operation = get(name)
    for setting in operation.settings():
        inputs = setting.inputs(1)
        y = operation.forward(inputs, setting.options)
        found = recognise({f"t{i}": value for i, value in enumerate(inputs.values())}, y)
        assert found is not None
        assert found.operation.name == name
        again = found.operation.forward(inputs, found.options)
        torch.testing.assert_close(again, y)


def test_roles_are_told_whatever_their_order():
    inputs = get("linear").settings()[0].inputs()
    y = get("linear").forward(inputs, {})
    shuffled = {"b": inputs["bias"], "w": inputs["weight"], "x": inputs["input"]}
    bound = next(fitting(get("linear"), shuffled, y, lambda _roles, _output: [{}]))
    assert bound.roles == {"input": "x", "weight": "w", "bias": "b"}


def image() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 3, 6, 7, dtype=torch.float64), torch.randn(4, 3, 2, 3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("x", "w", "y"),
    [
        ((0, 2, 3, 1), (0, 1, 2, 3), (0, 2, 3, 1)),  # (N, H, W, C)
        ((0, 2, 3, 1), (2, 3, 1, 0), (0, 2, 3, 1)),  # and the kernel (kh, kw, C, O)
    ],
)
def test_channels_last_is_recognised_and_its_gradients_come_in_that_layout(x, w, y):
    plain, kernel = image()
    inputs = {"x": plain.permute(x).contiguous(), "w": kernel.permute(w).contiguous()}
    output = F.conv2d(plain, kernel, padding=1).permute(y).contiguous()
    found = recognise(inputs, output)
    assert found is not None
    assert (found.operation.name, found.options["padding"]) == ("conv2d", (1, 1))
    g = torch.randn_like(output)
    leaf = plain.clone().requires_grad_()
    (dx,) = torch.autograd.grad(F.conv2d(leaf, kernel, padding=1).permute(y), leaf, g)
    torch.testing.assert_close(found.vjp(inputs)(g)["x"], dx.permute(x))
    torch.testing.assert_close(found.output, output)


@pytest.mark.parametrize("dims", ["one sample", "one image", "one kernel a channel", "channels exchanged", "columns"])
def test_other_layouts_of_a_convolution_are_recognised(dims):
    x, w = image()
    if dims == "one sample":
        inputs, y = {"x": x[0], "w": w}, F.conv2d(x, w)[0]
    elif dims == "one image":
        inputs, y = {"x": x[0, 0], "w": w[0, 0]}, F.conv2d(x[:1, :1], w[:1, :1])[0, 0]
    elif dims == "one kernel a channel":
        inputs, y = {"x": x, "w": w[:3, 0]}, F.conv2d(x, w[:3, :1], groups=3)
    elif dims == "channels exchanged":
        inputs, y = {"x": x, "w": w.transpose(0, 1).contiguous()}, F.conv2d(x, w)
    else:
        inputs, y = {"x": x, "w": w}, F.conv2d(x, w).flatten(2)
    if dims == "columns":
        bound = next(fitting(get("conv2d"), inputs, y, lambda _roles, _output: [{}]))
        assert bound.output.shape == y.shape
    else:
        found = recognise(inputs, y)
        assert found is not None
        assert found.operation.name == "conv2d"


@pytest.mark.parametrize("dims", ["one sample a channel", "one signal", "many channels"])
def test_a_true_convolution_is_recognised_by_the_kernel_backwards(dims):
    x, w = image()
    if dims == "one signal":
        inputs = {"x": x[0, 0, 0], "w": w[0, 0, 0]}
        y = torch.from_numpy(np.convolve(inputs["x"], inputs["w"], "valid"))
    elif dims == "one sample a channel":
        inputs, y = {"x": x, "w": w[:3, 0]}, F.conv2d(x, w[:3, :1].flip(2, 3), groups=3)
    else:
        inputs, y = {"x": x, "w": w}, F.conv2d(x, w.flip(2, 3))
    found = recognise(inputs, y)
    assert found is not None
    assert found.operation.name in ("conv1d", "conv2d")
    assert found.convolves
    leaf = inputs["w"].clone().requires_grad_()
    g = torch.randn_like(y)
    outputs = {"one signal": lambda: F.conv1d(inputs["x"][None, None], leaf.flip(0)[None, None])[0, 0]}
    outputs["one sample a channel"] = lambda: F.conv2d(x, leaf[:, None].flip(2, 3), groups=3)
    outputs["many channels"] = lambda: F.conv2d(x, leaf.flip(2, 3))
    (dw,) = torch.autograd.grad(outputs[dims](), leaf, g)
    torch.testing.assert_close(found.vjp(inputs)(g)["w"], dw)


@pytest.mark.parametrize(("pads", "stride"), [((1, 0), 1), ((1, 0), 2)])
def test_padding_on_one_side_is_recognised(pads, stride):
    x, w = image()
    found = recognise({"x": x, "w": w}, F.conv2d(F.pad(x, (0, 0, *pads)), w, stride=stride))
    assert found is not None
    assert (found.operation.name, found.options["padding"]) == ("uneven_conv2d", (pads, (0, 0)))


def test_a_bias_for_each_place_of_the_output_is_one():
    x, w = image()
    b = torch.randn(4, 5, 5, dtype=torch.float64)
    found = recognise({"x": x, "w": w, "b": b}, F.conv2d(x, w) + b)
    assert found is not None
    assert found.operation.name == "conv2d"


def test_an_epsilon_is_not_taken_for_another():
    x = torch.randn(5, 3, dtype=torch.float64)
    y = F.batch_norm(x, None, None, training=True, eps=1e-6)
    found = recognise({"x": x}, y)
    assert found is not None
    assert (found.operation.name, found.options["eps"]) == ("batch_norm", 1e-6)
    assert recognise({"x": x}, F.batch_norm(x, None, None, training=True, eps=2e-6)) is None


def test_what_is_no_operation_is_not_recognised():
    x = torch.randn(4, 5, dtype=torch.float64)
    assert recognise({"x": x}, x.cumsum(1)) is None
    assert recognise({"x": x, "w": torch.randn(5, 3).double()}, (x @ torch.randn(5, 3).double()) ** 3) is None


def test_no_slip_of_an_operation_is_the_truth_in_every_setting():
    """A slip that never shows would be a word without a meaning."""
    names_of_slips = ("conv2d", "max_pool2d", "avg_pool2d", "batch_norm", "layer_norm", "softmax", "attention")
    for name in (*names_of_slips, "embedding", "uneven_conv1d"):
        for role in get(name).roles:
            draws = [
                Draw(one, role)
                for one in cases_of(name, role, lambda g, **_: None)
                if one.inputs[role].is_floating_point()
            ]
            shown: dict[Any, bool] = {}
            for draw in draws:
                for path, linear in draw.bound.slips(draw):
                    gradient = linear(draw.g)
                    same = gradient.shape == draw.truth.shape and torch.allclose(gradient, draw.truth)
                    shown[path] = shown.get(path, False) or not same
            assert all(shown.values()), [path for path, wrong in shown.items() if not wrong]


def test_tied_maxima_of_overlapping_windows_have_several_right_gradients():
    operation = get("max_pool2d")
    setting = next(one for one in operation.settings() if one.name == "ties")
    (case,) = cases_of("max_pool2d", "input", lambda g, **_: None, only="ties")
    draw = Draw(case, "input")
    conventions = list(draw.bound.conventions(draw))
    assert any(torch.allclose(one, draw.truth) for one in conventions)
    assert len({tuple(one.flatten().tolist()) for one in conventions}) == 3
    for one in conventions:  # they keep the sum
        assert float(one.sum()) == pytest.approx(float(case.grad_output.sum()))
    assert setting.kinds == {"input": "ties"}
