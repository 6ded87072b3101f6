"""The modules stay what they are: names, state, copies, hooks, parametrizations; and `undo` leaves nothing behind."""

from __future__ import annotations

import copy
import io
import pickle
import re
import warnings
from collections.abc import Callable

import pytest
import torch
from networks import NETWORKS, counted, network
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, weight_norm

import handgrad as hg
from oracles import assert_equal


@pytest.mark.parametrize("name", NETWORKS)
def test_undo_restores_exactly(name: str) -> None:
    model, x = network(name)
    model.eval()
    before, y = {key: type(module) for key, module in model.named_modules()}, model(x)
    facts = repr(model), list(model.state_dict()), {key: id(p) for key, p in model.named_parameters()}
    assert hg.accelerate(model) is model
    assert (repr(model), list(model.state_dict()), {key: id(p) for key, p in model.named_parameters()}) == facts
    assert {key: type(module) for key, module in model.named_modules()} != before
    assert hg.accelerate(model, undo=True) is model
    assert {key: type(module) for key, module in model.named_modules()} == before
    assert torch.equal(model(x), y)


def test_twice_is_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = hg.accelerate(hg.accelerate(nn.Conv2d(1, 1, 1)))
    with counted(monkeypatch) as calls:
        module(torch.ones(1, 1, 1, 1))
    assert calls == ["conv"]
    assert type(hg.accelerate(module, undo=True)) is nn.Conv2d
    assert type(hg.accelerate(module, undo=True)) is nn.Conv2d


def saved(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "oldest pickle": lambda model: pickle.loads(pickle.dumps(model, protocol=0)),
    "torch.save": saved,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", ["unet", "one dimension", "three dimensions"])
def test_copies_are_accelerated_too(how: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = network(name)
    y = model(x)
    other = COPIES[how](hg.accelerate(model))
    with counted(monkeypatch) as calls:
        assert_equal(other(x), y)
    assert calls
    if how != "copy":
        with torch.no_grad():  # a copy computes with weights of its own
            for parameter in other.parameters():
                parameter.zero_()
        assert_equal(model(x), y)
        assert not torch.equal(other(x), y)
    hg.accelerate(other, undo=True)
    assert {type(m) for m in other.modules()} == {type(m) for m in network(name)[0].modules()}


def test_state_goes_both_ways() -> None:
    plain, x = network("unet")
    model = hg.accelerate(copy.deepcopy(plain))
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.mul_(2)
    model.load_state_dict(plain.state_dict())
    assert_equal(model(x), plain(x))
    plain.load_state_dict(model.state_dict())


def parametrized(module: nn.Module) -> nn.Module:
    class Double(nn.Module):
        def forward(self, w: Tensor) -> Tensor:
            return 2 * w

    return parametrize.register_parametrization(module, "weight", Double())


def hooked(module: nn.Module) -> nn.Module:
    module.register_forward_pre_hook(lambda _, args: (args[0].sin(),))
    module.register_forward_hook(lambda _, __, y: y.exp())
    module.register_full_backward_hook(lambda _, grads, __: (3 * grads[0],))
    return module


CHANGES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "parametrization": parametrized,
    "two parametrizations": lambda module: parametrized(parametrized(module)),
    "weight_norm": parametrizations.weight_norm,
    "old weight_norm": weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "pruned": lambda module: prune.l1_unstructured(module, "weight", 0.5),
    "hooks": hooked,
}


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_changed_modules(how: str, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 3, 6, 5, dtype=torch.float64, requires_grad=True)
    found = []
    for ours in (False, True):
        torch.manual_seed(5)
        module: nn.Module = nn.Conv2d(3, 4, 3).double()
        if ours and order == "before":
            hg.accelerate(module)
        CHANGES[how](module)
        if ours and order == "after":
            hg.accelerate(module)
        with counted(monkeypatch) as calls:
            y = module(x)
            found.append([y, *torch.autograd.grad(y.square().sum(), [x, *module.parameters()])])
        assert bool(calls) == ours
    for a, b in zip(*found, strict=True):
        assert_equal(a, b, 1e-11)
    assert_equal(copy.deepcopy(module.eval())(x), module(x)) if how not in ("old weight_norm", "pruned") else None
    hg.accelerate(module, undo=True)
    with counted(monkeypatch) as calls:
        module(x)
    assert calls == []


@pytest.mark.parametrize("order", ["before", "after"])
def test_parametrizations_can_be_removed(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Conv2d(3, 4, 3)
    if order == "before":
        parametrized(hg.accelerate(module))
    else:
        hg.accelerate(parametrized(module))
    other = copy.deepcopy(module)
    hg.accelerate(module, undo=True)
    assert type(module).__bases__ == (nn.Conv2d,)
    parametrize.remove_parametrizations(module, "weight")
    assert type(module) is nn.Conv2d
    with counted(monkeypatch) as calls:
        other(torch.randn(1, 3, 4, 4))  # its class is its own
        parametrize.remove_parametrizations(other, "weight")
        other(torch.randn(1, 3, 4, 4))
    assert calls == ["conv", "conv"]


class Standardized(nn.Conv2d):
    """Computes with another weight than its own."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight - self.weight.mean(), self.bias)


class Scaled(nn.Conv2d):
    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return 2 * super()._conv_forward(x, weight, bias)


class Named(nn.Conv2d):
    """Only more to its constructor."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3)


def test_modules_with_a_forward_of_their_own_are_left_alone_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    patched = nn.Conv2d(3, 3, 1)
    patched.forward = lambda x: 3 * x
    model = nn.Sequential(
        Standardized(3, 3, 3), Scaled(3, 3, 3), patched, nn.LazyConv2d(3, 1), hg.layers.Conv2d(3, 3, 1)
    )
    model.append(Named(3))
    types = [type(module) for module in model][:-1]
    words = (
        "accelerate: left alone: 0 (Standardized has its own forward), 1 (Scaled has its own forward), "
        "2 (Conv2d has its own forward), 3 (LazyConv2d has no weight yet), 4 (Conv2d has its own forward)"
    )
    with pytest.warns(hg.HandgradWarning, match=f"^{re.escape(words)}$"):
        hg.accelerate(model)
    assert [type(module) for module in model][:-1] == types
    x = torch.randn(1, 3, 5, 5)
    with counted(monkeypatch) as calls:
        assert_equal(model[5](x), torch.conv2d(x, model[5].weight, model[5].bias), 1e-5)
    assert calls == ["conv"]
    assert type(copy.deepcopy(model[5])) is type(model[5])
    assert type(hg.accelerate(model[5], undo=True)) is Named
    with pytest.warns(hg.HandgradWarning, match=r"left alone: the model \(Standardized has its own forward\)$"):
        hg.accelerate(Standardized(1, 1, 1))


def test_nothing_is_said_where_nothing_is_left() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hg.accelerate(network("unet")[0])
        hg.accelerate(nn.Linear(2, 2))


def test_settings_may_change_later() -> None:
    """As the module's own forward reads them at each call."""
    module, x = hg.accelerate(nn.Conv2d(3, 4, 3)), torch.randn(2, 3, 9, 8)
    module.stride, module.padding, module.dilation = 2, (2, 1), [2, 1]
    assert_equal(module(x), torch.conv2d(x, module.weight, module.bias, 2, (2, 1), (2, 1)), 1e-5)


def test_weights_may_be_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)).double()
    model[1].weight = model[0].weight
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64)
    truth = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    hg.accelerate(model)
    with counted(monkeypatch) as calls:
        found = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    assert calls
    for a, b in zip(found, truth, strict=True):
        assert_equal(a, b)


def test_it_learns_as_before() -> None:
    """A few steps of an optimizer, in float32, from the same start."""
    models = [network("lenet", torch.float32)[0] for _ in range(2)]
    hg.accelerate(models[1])
    for model in models:
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        torch.manual_seed(1)
        for _ in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(torch.randn(4, 1, 10, 10)), torch.randint(3, (4,))).backward()
            optimizer.step()
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert_equal(b, a, 1e-5)


@pytest.mark.parametrize("given", [None, nn.Conv2d, [nn.Conv2d(1, 1, 1)]])
def test_a_model_is_a_module(given: object) -> None:
    with pytest.raises(hg.HandgradError, match=r"^accelerate: the model must be a torch.nn.Module, got \w+\.$"):
        hg.accelerate(given)
