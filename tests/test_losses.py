"""Every loss against torch.nn.functional and its autograd in float64, and what each refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import handgrad as hg
from handgrad import losses

REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(), (5,), (4, 3), (2, 3, 4, 5)]


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def uniform(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64)


def check(loss: Callable[..., Any], oracle: Callable[..., Tensor], x: Tensor, *args: Any, **options: Any) -> None:
    """The value, its gradient for a given gradient of the loss, and that without one."""
    value, backward = loss(x, *args, **options)
    leaf = x.clone().requires_grad_()
    expected = oracle(leaf, *args, **options)
    grad_loss = torch.randn_like(expected)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-10, atol=1e-12)
    for given, upstream in [((grad_loss,), grad_loss), ((), torch.ones_like(expected)), ((0.5,), expected * 0 + 0.5)]:
        (gradient,) = torch.autograd.grad(expected, leaf, upstream, retain_graph=True)
        torch.testing.assert_close(backward(*given), gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_regression(name: str, weighted: bool, shape: tuple[int, ...], reduction: str) -> None:
    weight = uniform(*shape) if weighted else None
    options = {"reduction": reduction, "weight": weight}
    check(getattr(losses, name), getattr(F, name), 2 * normal(*shape), normal(*shape), **options)


@pytest.mark.parametrize("delta", [0.1, 1.0, 3.0])
def test_huber_delta(delta: float) -> None:
    check(losses.huber_loss, F.huber_loss, 2 * normal(50), normal(50), delta=delta)
    edge = torch.tensor([-delta, 0, delta], dtype=torch.float64)
    check(losses.huber_loss, F.huber_loss, edge, torch.zeros_like(edge), delta=delta)


def test_the_absolute_error_has_slope_0_at_0() -> None:
    check(losses.l1_loss, F.l1_loss, torch.tensor([0.0, 1.0, -1.0]).double(), torch.zeros(3).double())


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_binary_cross_entropy(weighted: bool, shape: tuple[int, ...], reduction: str) -> None:
    factors = {"weight": uniform(*shape[-1:]), "pos_weight": 3 * uniform(*shape[-2:])} if weighted else {}
    oracle = F.binary_cross_entropy_with_logits
    check(
        losses.binary_cross_entropy_with_logits, oracle, normal(*shape), uniform(*shape), reduction=reduction, **factors
    )


def test_binary_cross_entropy_of_large_logits() -> None:
    x = torch.tensor([-1e4, -40.0, 40.0, 1e4], dtype=torch.float64)
    value, backward = losses.binary_cross_entropy_with_logits(x, torch.zeros(4).double(), reduction="none")
    tiny = 4.248354255291589e-18  # exp(−40)
    torch.testing.assert_close(value, torch.tensor([0, tiny, 40, 1e4]).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(backward(), torch.tensor([0, tiny, 1, 1]).double(), rtol=1e-6, atol=0)


CROSS_ENTROPY = {
    "plain": {},
    "weights": {"weight": True},
    "smoothing": {"label_smoothing": 0.3},
    "all smooth": {"label_smoothing": 1.0},
    "weights and smoothing": {"weight": True, "label_smoothing": 0.3},
}


@pytest.mark.smoke
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 3, 4), (2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("options", CROSS_ENTROPY.values(), ids=CROSS_ENTROPY)
@pytest.mark.parametrize("target", ["indices", "some ignored", "probabilities"])
def test_cross_entropy(target: str, options: dict[str, Any], shape: tuple[int, ...], reduction: str) -> None:
    dim = min(1, len(shape) - 1)
    if target == "probabilities":
        t = uniform(*shape).softmax(dim)
    else:
        t = torch.randint(3, (*shape[:dim], *shape[dim + 1 :]))
    ignored = {"ignore_index": 1} if target == "some ignored" and t.ndim else {}
    weight = {"weight": uniform(3)} if "weight" in options else {}
    check(losses.cross_entropy, F.cross_entropy, normal(*shape), t, **options | ignored | weight, reduction=reduction)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64], ids=str)
def test_class_indices_may_be_any_integers(dtype: torch.dtype) -> None:
    x, target = normal(4, 3), torch.tensor([0, 2, 1, 2])
    value, backward = losses.cross_entropy(x, target.to(dtype))
    expected, expected_backward = losses.cross_entropy(x, target)
    assert value == expected
    assert backward().equal(expected_backward())


def test_where_all_are_ignored_there_is_no_gradient() -> None:
    x, target = normal(4, 3).requires_grad_(), torch.full((4,), -100)
    value, backward = losses.cross_entropy(x, target)
    F.cross_entropy(x, target).backward()
    assert value.isnan()
    assert backward().equal(x.grad)
    assert not backward().any()


def test_a_class_may_be_ruled_out() -> None:
    x = torch.tensor([[0.0, -torch.inf, 0.0], [3.0, 3.0, 3.0]])
    value, backward = losses.cross_entropy(x, torch.tensor([0, 1]), reduction="sum")
    torch.testing.assert_close(value, torch.tensor([2.0, 3.0]).log().sum())
    torch.testing.assert_close(backward(), torch.tensor([[-1 / 2, 0, 1 / 2], [1 / 3, -2 / 3, 1 / 3]]))


ALL = {
    "cross_entropy": torch.tensor([0, 2, 1, 2]),
    **dict.fromkeys(["binary_cross_entropy_with_logits", "mse_loss", "l1_loss", "huber_loss"], torch.rand(4, 3)),
}


def test_every_loss_is_in_the_table() -> None:
    assert set(ALL) == set(losses.__all__)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_no_graph_is_built_and_nothing_modified(name: str, mode) -> None:
    x, target, grad = torch.randn(4, 3, requires_grad=True), ALL[name], torch.tensor(2.0, requires_grad=True)
    before = x.detach().clone(), target.clone()
    with mode():
        for reduction in REDUCTIONS:
            value, backward = getattr(losses, name)(x, target, reduction=reduction)
            gradients = [backward(), backward(grad if value.ndim == 0 else value.detach().requires_grad_(False))]
            assert not any(tensor.requires_grad for tensor in [value, *gradients])
    assert (x.grad, grad.grad) == (None, None)
    assert x.equal(before[0])
    assert target.equal(before[1])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_many_small_terms_do_not_overflow(name: str, dtype: torch.dtype) -> None:
    x = torch.full((30_000, 3), -4.0).to(dtype)
    target = torch.zeros(30_000, dtype=torch.long) if name == "cross_entropy" else torch.ones_like(x)
    value, backward = getattr(losses, name)(x, target)
    assert value.dtype == backward().dtype == dtype
    expected = getattr(F, name)(x.double(), target if name == "cross_entropy" else target.double())
    torch.testing.assert_close(value.double(), expected, rtol=0.02, atol=0)
    assert backward().isfinite().all()


def test_the_gradient_of_a_single_half_is_a_half() -> None:
    one = torch.tensor(1.0, dtype=torch.float16)
    assert losses.mse_loss(one, 3 * one)[1]().dtype == torch.float16


@pytest.mark.parametrize("name", ALL)
def test_an_empty_batch(name: str) -> None:
    target = torch.zeros(0, dtype=torch.long) if name == "cross_entropy" else torch.zeros(0, 3)
    value, backward = getattr(losses, name)(torch.zeros(0, 3), target)
    assert value.isnan()
    assert backward().shape == (0, 3)


X, T = torch.zeros(4, 3), torch.tensor([0, 2, 1, 2])
BCE = "binary_cross_entropy_with_logits"


@pytest.mark.parametrize(
    ("name", "args", "options", "message"),
    [
        (
            "mse_loss",
            (X, X),
            {"reduction": "avg"},
            "mse_loss: there is no reduction 'avg'.\n  needed  'mean', 'sum' or 'none'",
        ),
        ("cross_entropy", (X, T), {"reduction": "avg"}, "cross_entropy: there is no reduction 'avg'"),
        ("mse_loss", (X.long(), X), {}, "mse_loss: input is not floating point.\n.*int64\nhint: `input.float\\(\\)`"),
        (
            "mse_loss",
            (X, X.long()),
            {},
            "mse_loss: input and target disagree.\n(.*\n)*hint: `target.to\\(input.dtype\\)`",
        ),
        ("l1_loss", (X, X.double()), {}, "l1_loss: input and target disagree"),
        (
            "l1_loss",
            (X, X[:1]),
            {},
            "l1_loss: input and target disagree.\n  input   \\(4, 3\\) .*\n  target  \\(1, 3\\) +torch.float32\\Z",
        ),
        ("huber_loss", (X, X), {"weight": X[0]}, "huber_loss: input and weight disagree"),
        ("huber_loss", (X, X), {"delta": 0.0}, "huber_loss: delta must be positive.\n  delta  0.0"),
        (BCE, (X, X[0]), {}, f"{BCE}: input and target disagree"),
        (BCE, (X, X), {"weight": torch.ones(4)}, f"{BCE}: weight does not broadcast to the input"),
        (
            BCE,
            (X, X),
            {"pos_weight": torch.ones(2, 4, 3)},
            "pos_weight does not broadcast to the input.\n.*\n.*\\(2, 4, 3\\)",
        ),
        ("cross_entropy", (X[0, 0], T), {}, "cross_entropy: input has no axis of classes"),
        ("cross_entropy", (X, T[:3]), {}, "class indices have another shape.\n.*C = 3\n.*\n  needed  \\(4,\\)"),
        (
            "cross_entropy",
            (X, T[:, None]),
            {},
            "class indices have another shape.\n(.*\n)*hint: `target.squeeze\\(1\\)`",
        ),
        ("cross_entropy", (X, X.long()), {}, "hint: for class probabilities: `target.to\\(input.dtype\\)`"),
        ("cross_entropy", (X, T + 1), {}, "cross_entropy: 3 is no class.\n(.*\n)*  needed  0 ≤ target < 3"),
        ("cross_entropy", (X, T - 1), {}, "cross_entropy: -1 is no class"),
        (
            "cross_entropy",
            (X, T.float()),
            {},
            "must be like the input.\n(.*\n)*hint: class indices are integers: `target.long",
        ),
        ("cross_entropy", (X, X.double()), {}, "class probabilities must be like the input"),
        ("cross_entropy", (X, X), {"ignore_index": 1}, "cross_entropy: ignore_index needs class indices"),
        ("cross_entropy", (X, X.bool()), {}, "cross_entropy: target must be class indices or probabilities"),
        ("cross_entropy", (X, T), {"weight": torch.ones(4)}, "input and weight disagree about the classes"),
        ("cross_entropy", (X, T), {"label_smoothing": 1.5}, "label_smoothing must be in 0 to 1"),
    ],
)
def test_bad_input_is_refused(name: str, args: tuple[Tensor, Tensor], options: dict[str, Any], message: str) -> None:
    with pytest.raises(hg.HandgradError, match=message):
        getattr(losses, name)(*args, **options)


@pytest.mark.parametrize(
    ("name", "args", "options", "message"),
    [
        ("mse_loss", ([1.0], X), {}, "mse_loss: input is no tensor.\n  input  list"),
        ("mse_loss", (X, X.numpy()), {}, "mse_loss: target is no tensor.\n  target  ndarray\nhint: `torch.from_numpy"),
        ("l1_loss", (X, None), {}, "l1_loss: target is no tensor.\n  target  NoneType"),
        ("l1_loss", ((X, None), X), {}, "hint: a layer returns \\(output, backward\\)"),
        ("huber_loss", (X, X), {"weight": 2.0}, "huber_loss: weight is no tensor.\n  weight  float"),
        ("huber_loss", (X, X), {"delta": None}, "huber_loss: delta must be a number.\n  delta  None"),
        ("huber_loss", (X, X), {"delta": torch.nan}, "huber_loss: delta must be positive"),
        (BCE, (X, X), {"pos_weight": [1.0]}, f"{BCE}: pos_weight is no tensor"),
        ("mse_loss", (X, X.to("meta")), {}, "mse_loss: the devices differ.\n  input   cpu\n  target  meta"),
        ("cross_entropy", (X, T.to("meta")), {}, "cross_entropy: the devices differ"),
        ("cross_entropy", (X, T), {"weight": torch.ones(3, device="meta")}, "cross_entropy: the devices differ"),
        ("cross_entropy", (X, T), {"weight": 1}, "cross_entropy: weight is no tensor"),
        ("cross_entropy", (X, T), {"ignore_index": None}, "ignore_index must be an integer.\n  ignore_index  None"),
        ("cross_entropy", (X, T), {"label_smoothing": "a"}, "label_smoothing must be a number.\n.* 'a'"),
        ("cross_entropy", (X[:, :0], T), {}, "cross_entropy: there is no class.\n  input  \\(4, 0\\)"),
    ],
)
def test_what_is_no_tensor_or_no_number_is_refused(name: str, args: tuple, options: dict, message: str) -> None:
    with pytest.raises(hg.HandgradError, match=message):
        getattr(losses, name)(*args, **options)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("grad", "message"),
    [
        ("a", "grad_loss is neither a number nor a tensor.\n  grad_loss  str"),
        (1j, "grad_loss is neither a number nor a tensor.\n  grad_loss  complex"),
        (torch.ones(3), "grad_loss is not like the loss.\n  grad_loss  \\(3,\\) "),
        (torch.ones((), device="meta"), "grad_loss is not like the loss.\n.* on meta\n.* on cpu"),
        (torch.ones((), dtype=torch.complex64), "grad_loss is not like the loss.\n.*complex64\n.*real"),
    ],
    ids=["string", "complex", "shape", "device", "complex tensor"],
)
def test_a_wrong_grad_loss_is_refused(name: str, grad: object, message: str) -> None:
    _, backward = getattr(losses, name)(X, ALL[name])
    with pytest.raises(hg.HandgradError, match=f"^{name}: {message}"):
        backward(grad)


def test_numbers_may_be_of_numpy() -> None:
    x, y = normal(4, 3), normal(4, 3)
    assert losses.huber_loss(x, y, delta=np.float32(0.5))[0] == F.huber_loss(x, y, delta=0.5)
    _, backward = losses.cross_entropy(x, T, ignore_index=np.int64(2))
    assert backward(np.float64(2)).equal(2 * backward())


def test_what_backward_needs_must_not_change_and_the_rest_may() -> None:
    x, target = torch.randn(4, 3), torch.rand(4, 3)
    for name, needed in [(BCE, True), ("mse_loss", False), ("cross_entropy", False)]:
        given = x.clone()
        loss, backward = getattr(losses, name)(given, target.softmax(1), reduction="none")
        expected = backward()
        loss.zero_()
        assert backward().equal(expected)
        given.zero_()
        if needed:
            with pytest.raises(hg.HandgradError, match=f"{name}: input changed since the forward pass"):
                backward()
        else:
            assert backward().equal(expected)


@pytest.mark.parametrize("name", ALL)
def test_autocast_means_nothing(name: str) -> None:
    x = torch.randn(4, 3)
    value, backward = getattr(losses, name)(x, ALL[name])
    with torch.autocast("cpu", torch.bfloat16):
        inside, inside_backward = getattr(losses, name)(x, ALL[name])
        assert inside.equal(value)
        assert inside_backward().equal(backward())
