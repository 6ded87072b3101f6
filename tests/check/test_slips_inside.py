"""Slips in one step of a forward pass of several: the step is named, in torch and in NumPy code."""

# ruff: noqa: ARG005 - a slip is given what it may not need

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from handgrad import check


def causes(forward: Callable[..., Any], backward: Callable[..., Any], *inputs: str) -> dict[str, list[str]]:
    report = check((forward, backward), inputs=list(inputs))
    return {one.name: [finding.cause for finding in one.findings] for one in report.gradients}


def three_layers(x: Any, v: Any, w: Any) -> Any:
    return torch.tanh(torch.tanh(x @ v) @ w) ** 2


def three_layers_back(g: Tensor, x: Tensor, v: Tensor, w: Tensor, slope: Callable[..., Tensor]) -> tuple[Tensor, ...]:
    a = torch.tanh(x @ v)
    b = torch.tanh(a @ w)
    db = 2 * g * b * (1 - b**2)
    da = (db @ w.T) * slope(a, x @ v, db @ w.T)
    return da @ v.T, x.T @ da, a.T @ db


LAYERS = ("x=5x3", "v=3x4", "w=4x2")


@pytest.mark.parametrize(
    "slope",
    [lambda a, z, d: 1 - a, lambda a, z, d: torch.ones_like(a), lambda a, z, d: 1 - z**2],
    ids=["of a", "missing", "of z"],
)
def test_a_derivative_in_the_middle_of_a_network(slope: Callable[..., Tensor]) -> None:
    found = causes(three_layers, lambda g, x, v, w: three_layers_back(g, x, v, w, slope), *LAYERS)
    assert found == {"x": ["derivative-of-activation-wrong"], "v": ["derivative-of-activation-wrong"], "w": []}


def relu_net(x: Any, v: Any, w: Any) -> Any:
    return np.tanh(np.maximum(x @ v, 0) @ w)


@pytest.mark.parametrize(
    ("mask", "cause"),
    [
        (lambda h, x, d: 1.0, "mask-missing"),
        (lambda h, x, d: d > 0, "mask-from-gradient"),
        (lambda h, x, d: x > 0, "mask-from-wrong-tensor"),
    ],
)
def test_a_mask_in_the_middle_of_a_network(mask: Callable[..., Any], cause: str) -> None:
    def backward(g: Any, x: Any, v: Any, w: Any) -> Any:
        h = np.maximum(x @ v, 0)
        do = g * (1 - np.tanh(h @ w) ** 2)
        dh = do @ w.T
        dh = dh * mask(h, x, dh)
        return dh @ v.T, x.T @ dh, h.T @ do

    assert causes(relu_net, backward, "x=5x4", "v=4x4", "w=4x2") == {"x": [cause], "v": [cause], "w": []}


def attention(x: Any, q: Any, k: Any) -> Any:
    s = (x @ q) @ (x @ k).transpose(-2, -1) / 2
    e = torch.exp(s - s.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


@pytest.mark.parametrize(
    ("back", "cause"),
    [
        (lambda p, g: p * (1 - p) * g / 2, "softmax-diagonal-only"),
        (lambda p, g: p * (g - (g * p).sum(-2, keepdim=True)) / 2, "wrong-reduction-axes"),
        (lambda p, g: p * (g - (g * p).sum(-1, keepdim=True)), "scale-factor"),
        (lambda p, g: g / 2, "derivative-of-activation-wrong"),
    ],
)
def test_softmax_inside_attention(back: Callable[..., Tensor], cause: str) -> None:
    def backward(g: Tensor, x: Tensor, q: Tensor, k: Tensor) -> tuple[Tensor, ...]:
        ds = back(attention(x, q, k), g)
        dq, dk = ds @ (x @ k), ds.mT @ (x @ q)
        return dq @ q.T + dk @ k.T, (x.mT @ dq).sum(0), (x.mT @ dk).sum(0)

    assert causes(attention, backward, "x=2x5x4", "q=4x3", "k=4x3") == {"x": [cause], "q": [cause], "k": [cause]}


def group_norm(x: Any, gamma: Any) -> Any:
    grouped = x.reshape(x.shape[0], 2, -1)
    centred = grouped - grouped.mean(-1, keepdims=True)
    h = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return gamma * h.reshape(x.shape)


def group_back(g: Any, x: Any, gamma: Any, scale: Any = 1, mean: float = 1, variance: float = 1) -> tuple[Any, Any]:
    h = group_norm(x, np.ones(1))
    d, hat = (((g * gamma) / scale).reshape(len(x), 2, -1), h.reshape(len(x), 2, -1))
    sigma = np.sqrt(x.reshape(d.shape).var(-1, keepdims=True) + 1e-5)
    dx = d - mean * d.mean(-1, keepdims=True) - variance * hat * (d * hat).mean(-1, keepdims=True)
    return (dx / sigma).reshape(x.shape), (g * h).sum(0)


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        ({"mean": 0}, ["missing-mean-term"]),
        ({"variance": 0}, ["missing-variance-term"]),
        ({"mean": 0, "variance": 0}, ["missing-mean-term", "missing-variance-term"]),
        ({"scale": "gamma"}, ["gamma-missing"]),
    ],
)
def test_a_term_of_group_norm(slip: dict[str, Any], expected: list[str]) -> None:
    def backward(g: Any, x: Any, gamma: Any) -> Any:
        return group_back(g, x, gamma, **{name: gamma if value == "gamma" else value for name, value in slip.items()})

    assert causes(group_norm, backward, "x=3x6", "gamma=6") == {"x": expected, "gamma": []}


def test_means_divided_by_the_number_of_other_entries() -> None:
    def backward(g: Any, x: Any, gamma: Any) -> Any:
        return group_back(g, x, gamma, mean=x.shape[1] / 2 / len(x), variance=x.shape[1] / 2 / len(x))

    report = check((group_norm, backward), inputs=["x=5x6", "gamma=6"])
    (finding,) = report.findings
    assert (finding.cause, "the means divide by" in finding.message) == ("unexplained", True)


def recurrent(x: Any, w: Any) -> Any:
    h = x[:, 0]
    for t in range(1, x.shape[1]):
        h = torch.tanh(x[:, t] + h @ w)
    return h


@pytest.mark.parametrize(
    ("keep", "expected"), [("last", ["overwrite-instead-of-accumulate"]), ("two", ["unexplained"])]
)
def test_one_turn_of_a_loop(keep: str, expected: list[str]) -> None:
    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        hs = [x[:, 0]]
        for t in range(1, x.shape[1]):
            hs.append(torch.tanh(x[:, t] + hs[-1] @ w))
        dx, dw, turns = torch.zeros_like(x), torch.zeros_like(w), 0
        for t in reversed(range(1, x.shape[1])):
            dz = g * (1 - hs[t] ** 2)
            dx[:, t], turns = dz, turns + 1
            turn = hs[t - 1].T @ dz
            dw = turn if keep == "last" else dw + turn * (turns < 3)
            g = dz @ w.T
        dx[:, 0] = g
        return dx, dw

    assert causes(recurrent, backward, "x=3x5x4", "w=4x4") == {"x": [], "w": expected}


def test_a_loop_over_the_samples_that_keeps_the_last() -> None:
    def forward(x: Tensor, w: Tensor) -> Tensor:
        return torch.stack([torch.tanh(one @ w) for one in x])

    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        d = g * (1 - forward(x, w) ** 2)
        return d @ w.T, x[-1].T @ d[-1]

    assert causes(forward, backward, "x=3x5x4", "w=4x2") == {"x": [], "w": ["one-sample-only"]}


@pytest.mark.parametrize(("c", "cause"), [(-1.0, "wrong-sign"), (3.0, "scale-factor")])
def test_a_constant_on_one_of_two_ways_back(c: float, cause: str) -> None:
    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        dz = c * g * (1 - torch.tanh(x @ w) ** 2)
        return g + dz @ w.T, x.T @ dz

    assert causes(lambda x, w: x + torch.tanh(x @ w), backward, "x=5x4", "w=4x4") == {"x": [cause], "w": [cause]}


def test_a_dropout_in_the_middle() -> None:
    keep = np.array([1.0, 0.0, 1.0])

    def backward(g: Any, x: Any, w: Any) -> Any:
        dz = g * (1 - np.tanh(x @ w) ** 2)
        return dz @ w.T, x.T @ dz

    found = causes(lambda x, w: np.tanh(x @ w) * keep, backward, "x=5x4", "w=4x3")
    assert found == {"x": ["mask-missing"], "w": ["mask-missing"]}


def test_an_epsilon_beside_sigma_is_left_out_of_the_derivative() -> None:
    """(x − μ)/(σ + ε): as everybody writes its way back, here without the mean's term."""

    def hat(x: Any) -> tuple[Any, Any]:
        sigma = np.std(x, axis=1, keepdims=True) + 1e-5
        return (x - x.mean(1, keepdims=True)) / sigma, sigma

    def backward(g: Any, x: Any, w: Any) -> Any:
        h, sigma = hat(x)
        d = g @ w.T
        return (d - h * (d * h).mean(1, keepdims=True)) / sigma, h.T @ g

    assert causes(lambda x, w: hat(x)[0] @ w, backward, "x=5x6", "w=6x3") == {"x": ["missing-mean-term"], "w": []}


def test_two_slips_that_are_known_come_before_a_derivative_that_is_not() -> None:
    found = causes(lambda x: torch.tanh(x), lambda g, x: -g * (1 - torch.tanh(x)), "x=6x8")
    assert found == {"x": ["derivative-of-activation-wrong", "wrong-sign"]}


def test_a_path_that_a_mask_closes_is_no_evidence() -> None:
    """Σ p·log p with the second term lost: a mask that happens to close that path must not be named."""

    def backward(g: Tensor, p: Tensor) -> Tensor:
        return g * p.log()

    assert causes(lambda p: (p * p.log()).sum(), backward, "p=4x5:positive") == {"p": ["unexplained"]}


def gated(x: Any, c: Any, w: Any) -> Any:
    f, n = np.split(x @ w, 2, axis=1)
    return np.tanh(n) + c / (1 + np.exp(-f))


@pytest.mark.parametrize("wrong", ["gate", "candidate"])
def test_an_activation_of_one_piece_of_a_split(wrong: str) -> None:
    """Which a state that is no function of x may multiply."""

    def backward(g: Any, x: Any, c: Any, w: Any) -> Any:
        f, n = np.split(x @ w, 2, axis=1)
        s, t = 1 / (1 + np.exp(-f)), np.tanh(n)
        df = g * c * (s if wrong == "gate" else s * (1 - s))
        da = np.hstack([df, g * (1 - t if wrong == "candidate" else 1 - t**2)])
        return da @ w.T, g * s, x.T @ da

    expected = ["derivative-of-activation-wrong"]
    assert causes(gated, backward, "x=5x4", "c=5x3", "w=4x6") == {"x": expected, "c": [], "w": expected}


def test_a_sign_on_one_of_two_uses_of_a_tensor_has_no_word() -> None:
    """x·y/|x|: d|x| with the wrong sign."""

    def forward(x: Any, y: Any) -> Any:
        return (x * y).sum(1) / np.sqrt((x * x).sum(1))

    def backward(g: Any, x: Any, y: Any) -> Any:
        n, d = np.sqrt((x * x).sum(1))[:, None], g[:, None]
        return d * (y / n + (x * y).sum(1)[:, None] * x / n**3), d * x / n

    (finding,) = check((forward, backward), inputs=["x=5x4", "y=5x4"]).findings
    assert finding.cause == "unexplained"
    assert "the sign is wrong" in finding.message
    assert "on the way through" in finding.message


@pytest.mark.parametrize(("c", "cause"), [(-1.0, "wrong-sign"), (3.0, "scale-factor")])
def test_a_constant_on_one_use_of_a_tensor_that_another_gradient_has_as_a_whole(c: float, cause: str) -> None:
    found = causes(lambda x, w: x + x @ w, lambda g, x, w: (g + c * g @ w.T, c * x.T @ g), "x=5x4", "w=4x4")
    assert found == {"x": [cause], "w": [cause]}


@pytest.mark.parametrize("both", [False, True], ids=["the last weight", "each layer its own"])
def test_a_weight_that_is_updated_before_it_is_used_behind_an_activation(both: bool) -> None:
    def backward(g: Tensor, x: Tensor, v: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        h = torch.tanh(x @ v)
        dw = h.T @ g
        dz = g @ (w - 0.05 * dw).T * (1 - h**2)
        dv = x.T @ dz
        return dz @ (v - 0.05 * dv * both).T, dv, dw

    found = causes(lambda x, v, w: torch.tanh(x @ v) @ w, backward, "x=5x4", "v=4x3", "w=3x2")
    assert found == {"x": ["updated-weight"], "v": ["updated-weight"], "w": []}


def test_a_mean_that_is_taken_off_and_nothing_else() -> None:
    found = causes(lambda x, y: (x - x.mean(1, keepdims=True)) * y, lambda g, x, y: (g * y, None), "x=4x6", "y=4x6")
    assert found["x"] == ["missing-mean-term"]


def test_the_derivative_of_softmax_for_that_of_its_logarithm() -> None:
    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        p = (x @ w).softmax(1)
        dz = p * (g - (g * p).sum(1, keepdim=True))
        return dz @ w.T, x.T @ dz

    found = causes(lambda x, w: (x @ w).log_softmax(1), backward, "x=5x4", "w=4x3")
    assert found == {name: ["derivative-of-activation-wrong"] for name in ("x", "w")}


@pytest.mark.parametrize(
    ("forgetful", "cause"), [(False, "overwrite-instead-of-accumulate"), (True, "unexplained")], ids=["=", "no term"]
)
def test_a_weight_that_is_used_twice_and_assigned_to_twice(forgetful: bool, cause: str) -> None:
    """Where the second use is nowhere in the code, no `=` is at fault."""

    def forward(x: Any, w: Any) -> Any:
        return np.tanh(x @ w) @ w

    def overwritten(g: Any, x: Any, w: Any) -> Any:
        h = np.tanh(x @ w)
        dw = h.T @ g
        dz = g @ w.T * (1 - h**2)
        dw = x.T @ dz
        return dz @ w.T, dw

    def forgotten(g: Any, x: Any, w: Any) -> Any:
        dz = g @ w.T * (1 - np.tanh(x @ w) ** 2)
        return dz @ w.T, x.T @ dz

    found = causes(forward, forgotten if forgetful else overwritten, "x=5x4", "w=4x4")
    assert found == {"x": [], "w": [cause]}


def two_steps(x: Any, w: Any, u: Any, b: Any) -> Any:
    return np.tanh(x @ w + np.tanh(x @ w + b) @ u + b)


def test_the_same_derivative_in_every_step_behind_a_sum() -> None:
    def backward(g: Any, x: Any, w: Any, u: Any, b: Any) -> Any:
        h1 = np.tanh(x @ w + b)
        d2 = g * (1 - np.tanh(x @ w + h1 @ u + b))
        d1 = d2 @ u.T * (1 - h1)
        return (d1 + d2) @ w.T, x.T @ (d1 + d2), h1.T @ d2, (d1 + d2).sum(0)

    found = causes(two_steps, backward, "x=5x4", "w=4x3", "u=3x3", "b=3")
    assert found == {name: ["derivative-of-activation-wrong"] for name in ("x", "w", "u", "b")}


@pytest.mark.parametrize("kind", ["matmul", "einsum"])
def test_a_square_product_whose_gradient_is_transposed_for_one_factor(kind: str) -> None:
    def scores(x: Any, v: Any, w: Any) -> Any:
        q, k = x @ v, x @ w
        return q @ k.transpose(0, 2, 1) if kind == "matmul" else np.einsum("bid,bjd->bij", q, k)

    def backward(g: Any, x: Any, v: Any, w: Any) -> Any:
        dq, dk = g @ (x @ w), g @ (x @ v)  # the second is gᵀ q
        return dq @ v.T + dk @ w.T, np.einsum("bti,bto->io", x, dq), np.einsum("bti,bto->io", x, dk)

    assert causes(scores, backward, "x=2x5x4", "v=4x3", "w=4x3") == {"x": ["transposed"], "v": [], "w": ["transposed"]}


def test_a_state_that_a_gate_multiplies_before_an_activation() -> None:
    """Entry by entry in c, but what is wrong is the derivative at f·c."""

    def backward(g: Any, c: Any, x: Any) -> Any:
        f = 1 / (1 + np.exp(-x))
        d = g * (1 - (f * c) ** 2)
        return d * f, d * c * f * (1 - f)

    found = causes(lambda c, x: np.tanh(c / (1 + np.exp(-x))), backward, "c=4x3", "x=4x3")
    assert found == {name: ["derivative-of-activation-wrong"] for name in ("c", "x")}


def test_a_mask_of_a_weight() -> None:
    def backward(g: Any, x: Any, w: Any) -> Any:
        return g @ np.tril(w).T, x.T @ g

    assert causes(lambda x, w: x @ np.tril(w), backward, "x=5x4", "w=4x4") == {"x": [], "w": ["mask-missing"]}


def test_one_side_of_a_derivative_in_the_middle() -> None:
    """ELU's for x < 0 without its + 1."""

    def backward(g: Any, x: Any, w: Any) -> Any:
        z = x @ w
        d = g * np.where(z > 0, 1, np.exp(np.minimum(z, 0)) - 1)
        return d @ w.T, x.T @ d

    def elu(x: Any, w: Any) -> Any:
        return np.where(x @ w > 0, x @ w, np.exp(np.minimum(x @ w, 0)) - 1)

    found = causes(elu, backward, "x=7x4", "w=4x5")
    assert found == {name: ["derivative-of-activation-wrong"] for name in ("x", "w")}
