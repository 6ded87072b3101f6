"""The check before training finds a wrong gradient, names it, and leaves everything as it was."""

import copy

import pytest
import torch
from torch import Tensor, nn

from handgrad import HandgradError, layers, losses
from handgrad._training import data, models
from handgrad._training.verify import WrongGradientError, verify

EVERY = layers.Sequential(
    layers.Conv2d(1, 4, 3, padding=1),
    layers.BatchNorm2d(4),
    layers.GELU(),
    layers.Residual(layers.Conv2d(4, 4, 3, padding=1, groups=2)),
    layers.ConvTranspose2d(4, 3, 2, stride=2),
    layers.GroupNorm(3, 3),
    layers.MaxPool2d(2),
    layers.LayerNorm((3, 8, 8)),
    layers.Sequential(layers.Dropout(0.3), layers.Tanh()),
    layers.AvgPool2d(2),
    layers.Flatten(),
    layers.Dropout(0.5),
    layers.Linear(48, 10),
)


def batch():
    """Eight real digits."""
    found = data.load(None, seed=0).train
    return found.images[:8].double() / 16, found.labels[:8]


@pytest.mark.parametrize("name", [*models.NAMED, "every"])
def test_right_gradients_pass_and_the_worst_comes_first(name):
    model = EVERY if name == "every" else models.read(name).build((1, 8, 8), 10)[0]
    compared = verify(model, *batch())
    assert compared[0].error < 1e-11
    assert [one.error for one in compared] == sorted((one.error for one in compared), reverse=True)
    parameters = sum(1 for _ in model.parameters())
    assert len(compared) == parameters + len(model) + 1  # each layer's input, and the loss
    assert {one.of for one in compared if "Conv2d" in one.layer} >= {"weight", "input"}


def test_a_gradient_that_is_all_rounding_is_no_wrong_one():
    """Single values in each group: the gradient is 0, and autograd's 1e-14."""
    model = layers.Sequential(
        layers.Conv2d(1, 8, 3),
        layers.AdaptiveAvgPool2d(1),
        layers.GroupNorm(8, 8),
        layers.Flatten(),
        layers.Linear(8, 10),
    )
    assert verify(model, *batch())[0].error < 1e-11


def test_a_gradient_where_zero_is_right_must_be_zero(monkeypatch):
    real = layers.GroupNorm.forward

    def shifted(self, input):
        y, backward = real(self, input)
        return y, lambda grad: backward(grad) + 1e-6

    monkeypatch.setattr(layers.GroupNorm, "forward", shifted)
    model = layers.Sequential(
        layers.AdaptiveAvgPool2d(1), layers.GroupNorm(1, 1), layers.Flatten(), layers.Linear(1, 10)
    )
    with pytest.raises(WrongGradientError, match=r"layer 1 \(GroupNorm\): the gradient of input is wrong"):
        verify(model, *batch())


def test_a_layer_that_breaks_is_named():
    layer = layers.Dropout(0.5)
    layer.p = float("nan")
    with pytest.raises(HandgradError, match=r"layer 0 \(Dropout\) cannot be verified: "):
        verify(layers.Sequential(layer), *batch())


class Wrong(layers.Layer, nn.Linear):
    """A Linear whose backward pass has one mistake, chosen by name."""

    mistake = ""

    def forward(self, input: Tensor):
        def backward(grad: Tensor) -> Tensor:
            weight, bias, x = grad.mT @ input, grad.sum(0), grad @ self.weight
            if self.mistake == "weight":
                weight[0, 0] *= 1 + 1e-6
            elif self.mistake == "bias":
                bias = grad.mean(0)
            elif self.mistake == "input":
                x = -x
            elif self.mistake == "nan":
                x[0, 0] = float("nan")
            elif self.mistake == "shape":
                x = x[:1]
            self.accumulate_grad(weight=weight, bias=None if self.mistake == "forgotten" else bias)
            return x

        return nn.functional.linear(input, self.weight, self.bias), backward


NAMED = {"weight": "weight", "bias": "bias", "input": "input", "nan": "input", "shape": "input", "forgotten": "bias"}


@pytest.mark.parametrize("mistake", NAMED)
def test_a_wrong_gradient_is_named(monkeypatch, mistake):
    monkeypatch.setattr("handgrad.layers.Linear", Wrong)  # so that it has an ordinary twin
    wrong = Wrong(16, 10)
    wrong.mistake = mistake
    model = layers.Sequential(layers.AvgPool2d(2), layers.Flatten(), wrong, layers.Tanh())
    with pytest.raises(
        WrongGradientError, match=rf"layer 2 \(Wrong\): the gradient of {NAMED[mistake]} is wrong"
    ) as error:
        verify(model, *batch())
    assert isinstance(error.value, HandgradError)
    assert error.value.exit_code == 1
    assert "differs from autograd's" in str(error.value)


def test_a_wrong_loss_is_named(monkeypatch):
    real = losses.cross_entropy

    def twice(*args):
        loss, backward = real(*args)
        return loss, lambda: 2 * backward()

    monkeypatch.setattr(losses, "cross_entropy", twice)
    with pytest.raises(WrongGradientError, match="loss: the gradient of input is wrong"):
        verify(EVERY, *batch())


def test_nothing_is_changed():
    model = models.read("cnn").build((1, 8, 8), 10)[0].eval()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before, generator = copy.deepcopy(model), torch.get_rng_state()
    verify(model, *batch())
    assert torch.equal(torch.get_rng_state(), generator)
    assert not model.training
    for (name, now), then in zip(model.state_dict().items(), before.state_dict().values(), strict=True):
        assert torch.equal(now, then), name
    for parameter in model.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad.unique().tolist() == [1]


def test_it_works_where_gradients_are_switched_off():
    with torch.no_grad():
        assert verify(EVERY, *batch())[0].error < 1e-11
