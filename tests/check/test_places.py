"""Wherever an object keeps its arrays, they are found, changed there, and told from their gradients."""

from __future__ import annotations

from collections import deque, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from naming import named
from torch import nn

from handgrad._check.subjects import Subject
from handgrad._check.subjects.finding import of_object
from handgrad._check.subjects.places import places

X = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
G = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Layer:
    """A layer that can be called, as those in a network are."""

    def __init__(self, i: int, o: int) -> None:
        self.W = np.ones((i, o))

    def __call__(self, x: Any) -> Any:
        self.x = x
        return x @ self.W

    forward = __call__

    def backward(self, grad: Any) -> Any:
        self.dW = self.x.T @ grad
        return grad @ self.W.T


class Network:
    """Layers in whatever `hold` makes of them."""

    def __init__(self, hold: Any) -> None:
        self.held = hold([Layer(3, 4), Layer(4, 2)])

    def layers(self) -> list[Any]:
        return list(self.held.values() if isinstance(self.held, dict) else self.held)

    def forward(self, x: Any) -> Any:
        for layer in self.layers():
            x = layer(x)
        return x

    def backward(self, grad: Any) -> Any:
        for layer in reversed(self.layers()):
            grad = layer.backward(grad)
        return grad


Pair = namedtuple("Pair", "first second")


@pytest.mark.parametrize(
    ("hold", "names"),
    [
        (list, ["held[0].W", "held[1].W"]),
        (tuple, ["held[0].W", "held[1].W"]),
        (deque, ["held[0].W", "held[1].W"]),
        (lambda two: Pair(*two), ["held[0].W", "held[1].W"]),
        (lambda two: dict(zip("ab", two, strict=True)), ["held['a'].W", "held['b'].W"]),
    ],
)
def test_layers_in_containers_are_looked_into(hold: Any, names: list[str]) -> None:
    subject = Subject(of_object(Network(hold)))
    assert list(subject.adapter.parameters()) == names
    first, second = torch.randn(3, 4, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    run = subject.run({"x": X, names[0]: first, names[1]: second})
    torch.testing.assert_close(run.output, X @ first @ second)
    found = run.backward(G)
    torch.testing.assert_close(found[names[0]], X.mT @ G @ second.mT)
    torch.testing.assert_close(found[names[1]], (X @ first).mT @ G)


class Parameter:
    """As in many courses: an array and its gradient."""

    def __init__(self, data: Any) -> None:
        self.data, self.grad, self.m = data, None, np.zeros_like(data)


class Blob:
    def __init__(self, data: Any) -> None:
        self.data, self.diff = data, np.zeros_like(data)


class Slotted:
    __slots__ = ("W", "b", "dW", "db", "x")

    def __init__(self) -> None:
        self.W, self.b, self.dW, self.db = np.ones((3, 2)), np.ones(2), None, None

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad: Any) -> Any:
        self.dW, self.db = self.x.T @ grad, grad.sum(0)
        return grad @ self.W.T


class Wrapped:
    def __init__(self, kind: Any = Parameter) -> None:
        self.W, self.b = kind(np.ones((3, 2))), kind(np.ones(2))

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W.data + self.b.data

    def backward(self, grad: Any) -> Any:
        name = "grad" if hasattr(self.W, "grad") else "diff"
        setattr(self.W, name, self.x.T @ grad)
        setattr(self.b, name, grad.sum(0))
        return grad @ self.W.data.T


class WrappedInAList(Wrapped):
    def __init__(self) -> None:
        self.params = [Parameter(np.ones((3, 2))), Parameter(np.ones(2))]

    W = property(lambda self: self.params[0])
    b = property(lambda self: self.params[1])


class Tuples:
    def __init__(self) -> None:
        self.params = (np.ones((3, 2)), np.ones(2))

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, grad: Any) -> Any:
        self.grads = (self.x.T @ grad, grad.sum(0))
        return grad @ self.params[0].T


class NestedDictionaries:
    def __init__(self) -> None:
        self.params = {"dense": {"W": np.ones((3, 2)), "b": np.ones(2)}}
        self.grads: Any = {"dense": {}}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.params["dense"]["W"] + self.params["dense"]["b"]

    def backward(self, grad: Any) -> Any:
        self.grads["dense"] = {"W": self.x.T @ grad, "b": grad.sum(0)}
        return grad @ self.params["dense"]["W"].T


class Heads(NestedDictionaries):
    """The same under a name of its own."""

    def __init__(self) -> None:
        self.heads = {"dense": {"W": np.ones((3, 2)), "b": np.ones(2)}, "other": {"W": np.ones((3, 2))}}
        self.grads: Any = {}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.heads["dense"]["W"] + self.heads["dense"]["b"]

    def backward(self, grad: Any) -> Any:
        self.grads["dense"] = {"W": self.x.T @ grad, "b": grad.sum(0)}
        return grad @ self.heads["dense"]["W"].T


class NestedLists:
    def __init__(self) -> None:
        self.params = [[np.ones((3, 2)), np.ones(2)]]

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.params[0][0] + self.params[0][1]

    def backward(self, grad: Any) -> Any:
        self.grads = [[self.x.T @ grad, grad.sum(0)]]
        return grad @ self.params[0][0].T


class Accumulating(Wrapped):
    """Arrays that only NumPy can add to, in code that mentions no library."""

    def __init__(self) -> None:
        super().__init__(Blob)

    def backward(self, grad: Any) -> Any:
        self.W.diff += self.x.T @ grad
        self.b.diff += grad.sum(0)
        return grad @ self.W.data.T


class ByLetter(Slotted):
    """gW and gb, the latter of one number only."""

    __slots__ = ("gW", "gb")

    def __init__(self) -> None:
        super().__init__()
        self.b = np.ones(())  # type: ignore[assignment]
        del self.dW, self.db

    def backward(self, grad: Any) -> Any:
        self.gW, self.gb = self.x.T @ grad, grad.sum()
        return grad @ self.W.T


@dataclass(frozen=True)
class Frozen:
    W: Any
    b: Any


class Plain(Wrapped):
    """Its arrays in a namespace and a frozen dataclass: nothing that can be assigned to."""

    def __init__(self) -> None:
        self.p, self.d = Frozen(np.ones((3, 2)), np.ones(2)), SimpleNamespace()

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.p.W + self.p.b

    def backward(self, grad: Any) -> Any:
        self.dW, self.db = self.x.T @ grad, grad.sum(0)
        return grad @ self.p.W.T


class HoldsModule(Wrapped):
    """A module inside an object that is none."""

    def __init__(self) -> None:
        self.linear = [nn.Linear(3, 2)]

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.linear[0].weight.mT + self.linear[0].bias

    def backward(self, grad: Any) -> Any:
        self.linear[0].weight.grad, self.linear[0].bias.grad = grad.mT @ self.x, grad.sum(0)
        return grad @ self.linear[0].weight


@pytest.mark.parametrize(
    ("thing", "names"),
    [
        (Slotted, ["W", "b"]),
        (Wrapped, ["W", "b"]),
        (Wrapped(Blob), ["W", "b"]),
        (Accumulating, ["W", "b"]),
        (ByLetter, ["W", "b"]),
        (WrappedInAList, ["params[0]", "params[1]"]),
        (Tuples, ["params[0]", "params[1]"]),
        (NestedDictionaries, ["dense.W", "dense.b"]),
        (Heads, ["dense.W", "dense.b", "other.W"]),
        (NestedLists, ["params[0][0]", "params[0][1]"]),
        (Plain, ["p.W", "p.b"]),
        (HoldsModule, ["linear[0].weight", "linear[0].bias"]),
    ],
    ids=named,
)
def test_arrays_and_their_gradients_are_found_wherever_they_hang(thing: Any, names: list[str]) -> None:
    subject = Subject(of_object(thing))
    own = subject.adapter.parameters()
    assert list(own) == names
    weight, bias = (torch.randn(own[name].shape, dtype=torch.float64) for name in names[:2])
    matrix = weight.mT if thing is HoldsModule else weight
    run = subject.run({"x": X, names[0]: weight, names[1]: bias})
    torch.testing.assert_close(run.output, X @ matrix + bias)
    found = run.backward(G)
    torch.testing.assert_close(found[names[0]], G.mT @ X if thing is HoldsModule else X.mT @ G)
    torch.testing.assert_close(found[names[1]], G.sum() if thing is ByLetter else G.sum(0))


def test_a_frozen_parameter_is_a_constant_and_a_cycle_ends() -> None:
    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 2))
            self.fixed = nn.Parameter(torch.ones(3, 2), requires_grad=False)
            self.__dict__["parent"] = SimpleNamespace(child=self)

        def forward(self, x: Any) -> Any:
            return x @ (self.weight + self.fixed)

        def backward(self, grad: Any) -> Any:
            return grad

    assert list(Subject(of_object(Module)).adapter.parameters()) == ["weight"]


def test_functions_and_libraries_are_not_looked_into() -> None:
    def helper() -> None: ...

    helper.W = np.ones(3)  # type: ignore[attr-defined]
    thing = SimpleNamespace(f=helper, rng=np.random.default_rng(0), module=np, W=np.ones(2))
    assert [place.name for place in places(thing)] == ["W"]
