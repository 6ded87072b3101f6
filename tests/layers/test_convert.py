"""From torch.nn and back: the same weights, nothing shared, and a name for what cannot be turned."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from layer_cases import CASES, ORACLE, Case
from torch import nn

import handgrad as hg
from handgrad import layers


@pytest.mark.parametrize("case", [case for case in CASES if case.layer != "Residual"], ids=str)
def test_there_and_back(case: Case) -> None:
    module = case.build(ORACLE).eval()
    layer = layers.from_torch(module)
    back = layers.to_torch(layer)
    assert type(layer) is getattr(layers, case.layer)
    assert [type(child) for child in back.modules()] == [type(child) for child in module.modules()]
    for twin in (layer, back):
        assert repr(twin).replace("inplace=True", "") == repr(module).replace("inplace=True", "")
        assert not twin.training
        torch.testing.assert_close(twin.state_dict(), module.state_dict(), rtol=0, atol=0)
    x = case.draw(1) if case.rows else case.draw(1).float()
    torch.testing.assert_close(layer(x)[0], module(x).detach())
    torch.testing.assert_close(back(x).detach(), module(x).detach(), rtol=0, atol=0)


def nested() -> nn.Sequential:
    inner = OrderedDict(drop=nn.Dropout(), deep=nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4)))
    return nn.Sequential(nn.Linear(3, 4), nn.Sequential(inner))


def test_mode_dtype_requires_grad_and_ties_are_kept() -> None:
    module = nested().double()
    module[1].deep.eval()
    module[0].weight.requires_grad_(False)
    module.append(nn.Linear(4, 4).double())
    module[2].weight = module[1].deep[1].weight
    layer = layers.from_torch(module)
    assert [child.training for child in layer.modules()] == [child.training for child in module.modules()]
    assert not layer[0].weight.requires_grad
    assert layer[0].weight.dtype == torch.float64
    assert layer[2].weight is layer[1].deep[1].weight
    assert not {p.data_ptr() for p in layer.parameters()} & {p.data_ptr() for p in module.parameters()}
    assert all(type(child).__module__.startswith("torch.nn") for child in module.modules()), "the original stays"


def test_explicit_layers_stay_what_they_are() -> None:
    mixed = nn.Sequential(nn.Linear(3, 3), layers.Residual(layers.Sequential(layers.Linear(3, 3), layers.Tanh())))
    layer, x = layers.from_torch(mixed), torch.randn(2, 3)
    module = layers.to_torch(layer)
    torch.testing.assert_close(module(x).detach(), layer(x)[0])
    assert not any(isinstance(child, layers.Layer) for child in module.modules())
    assert type(layers.from_torch(module)[1]) is layers.Residual


def test_inplace_is_off_in_the_ordinary_module() -> None:
    residual = layers.Residual(layers.Sequential(layers.ReLU(inplace=True), layers.Identity()))
    x = torch.randn(2, 3)
    torch.testing.assert_close(layers.to_torch(residual)(x.clone()), residual(x)[0])


def hooked(module: nn.Module) -> nn.Module:
    module.register_forward_pre_hook(lambda *_: None)  # as weight_norm does
    return module


def patched(module: nn.Module) -> nn.Module:
    module.forward = lambda input: input
    return module


class Custom(layers.Layer):
    pass


@pytest.mark.parametrize(
    ("turn", "module", "message"),
    [
        (layers.from_torch, nn.PReLU(), r"from_torch: cannot turn the module, which has no twin.\n  type  PReLU"),
        (
            layers.from_torch,
            nn.Sequential(nn.Linear(2, 2), nested().append(nn.LSTM(2, 2))),
            "cannot turn 1.2, .*\n  type  LSTM",
        ),
        (
            layers.from_torch,
            nn.Sequential(hooked(nn.Linear(2, 2))),
            "cannot turn 0, which has hooks.\n  type  Linear",
        ),
        (
            layers.from_torch,
            nn.Sequential(patched(nn.ReLU())),
            "cannot turn 0, which has a forward of its own.\n  type  ReLU",
        ),
        (
            layers.from_torch,
            nn.Sequential(nn.Sequential(nn.MaxPool2d(2, return_indices=True))),
            "cannot turn 0.0, which returns indices.\n  type  MaxPool2d",
        ),
        (layers.from_torch, nn.Sequential(nn.Softmax()), "cannot turn 0, which has no dim.\n  type  Softmax"),
        (layers.from_torch, nn.Sequential(nn.ReLU(), None), "cannot turn 1, which has no twin.\n  type  NoneType"),
        (layers.from_torch, None, "from_torch: cannot turn the module, which has no twin.\n  type  NoneType"),
        (
            layers.to_torch,
            layers.Sequential(layers.Tanh(), Custom()),
            "to_torch: cannot turn 1, which has no twin.\n  type  Custom",
        ),
    ],
)
def test_what_cannot_be_turned_is_named(turn, module: nn.Module, message: str) -> None:
    with pytest.raises(hg.HandgradError, match=message):
        turn(module)
