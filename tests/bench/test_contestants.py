"""Every contestant does every task it enters for, and says which it cannot."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from made_up import shape
from torch import Tensor

from handgrad._algorithms import setting
from handgrad._bench import contestants
from handgrad._bench.contestants import PEERS, SAMPLERS, CannotEnter, enter, missing, own_name
from handgrad._bench.task import EACH, OPS, Op, Task

own_module = importlib.import_module("handgrad._bench.contestants.own")  # the function has its name
IN_PROCESS = ["handgrad", "handgrad/own", "handgrad/reference", *(name for name in PEERS if name != "jax")]


def by_autograd(task: Task) -> Tensor:
    x, w = task.x.double().requires_grad_(), task.w.double().requires_grad_()
    y = getattr(torch, f"conv{task.shape.dims}d")(x, w, **task.settings)
    dx, dw = torch.autograd.grad(y, (x, w), task.dy.double())
    return {"y": y.detach(), "dW": dw, "dX": dx}[task.op]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_truth_is_autograds(dims: int, groups: int, op: Op) -> None:
    task = Task(shape(O=8, dims=dims, groups=groups), op)
    torch.testing.assert_close(task.truth(), by_autograd(task))


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(("dims", "groups"), [(1, 1), (1, 2), (2, 1), (2, 2), (2, 4), (3, 1), (3, 2)])
@pytest.mark.parametrize("name", IN_PROCESS)
def test_everybody_is_right(name: str, dims: int, groups: int, op: Op) -> None:
    for dtype in (torch.float32, torch.float64):
        task = Task(shape(O=8, dims=dims, groups=groups), op, dtype)
        try:
            entry = enter(name, task)
        except CannotEnter:
            assert (name, dims) in [("channels-last", 1), ("unfold", 1), ("unfold", 3)]
            continue
        result = entry.tensor(entry.call())
        assert result.dtype == dtype
        torch.testing.assert_close(result, by_autograd(task).to(dtype), rtol=1e-4, atol=1e-4)


def each_by_autograd(task: Task) -> Tensor:
    """The weight gradient of each sample, or its squared norm."""
    w = task.w.double().requires_grad_()
    conv = getattr(torch, f"conv{task.shape.dims}d")
    pairs = zip(task.x.double(), task.dy.double(), strict=True)
    dw = torch.stack([torch.autograd.grad(conv(x[None], w, **task.settings), w, dy[None])[0] for x, dy in pairs])
    return dw if task.op == "samples" else torch.linalg.vector_norm(dw.flatten(1), dim=1) ** 2


@pytest.mark.parametrize("op", EACH)
@pytest.mark.parametrize(("dims", "groups"), [(1, 1), (2, 1), (2, 4), (3, 2)])
@pytest.mark.parametrize("name", ["the truth", "handgrad", "handgrad/reference", *SAMPLERS])
def test_each_sample_is_right(name: str, dims: int, groups: int, op: Op) -> None:
    if reason := missing(name):
        pytest.skip(reason)
    for N in (3, 40):  # ExpandedWeights compute large batches otherwise
        task = Task(shape(O=8, dims=dims, groups=groups, N=N), op, torch.float64)
        if name == "the truth":
            result = task.truth()
        else:
            entry = enter(name, task)
            if (name, dims) == ("expanded-weights", 3):
                with pytest.raises(NotImplementedError, match="dilation"):
                    entry.call()
                continue
            result = entry.tensor(entry.call())
        if (name, op) == ("backpack", "norms") and groups > 1:
            assert not torch.allclose(result, each_by_autograd(task))  # which disqualifies it
        else:
            torch.testing.assert_close(result, each_by_autograd(task))


def test_whoever_knows_no_samples_does_not_enter_for_them_nor_the_reverse() -> None:
    with pytest.raises(CannotEnter, match="it knows no single samples"):
        enter("native", Task(shape(), "norms"))
    with pytest.raises(CannotEnter, match="it is for single samples"):
        enter("vmap", Task(shape(), "dW"))


def test_those_who_cannot_say_why() -> None:
    line = Task(shape(dims=1), "y")
    with pytest.raises(CannotEnter, match="PyTorch has no channels-last format for 1 dimension"):
        enter("channels-last", line)
    with pytest.raises(CannotEnter, match="takes images only"):
        enter("unfold", line)


@pytest.mark.parametrize("op", OPS)
def test_operands_lie_as_the_name_says(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def spy(_op: Op, *operands: Tensor, **_settings: Any) -> Tensor:
        seen.extend(operand.is_contiguous(memory_format=torch.channels_last) for operand in operands)
        return operands[0]

    monkeypatch.setattr(contestants.pytorch, "by_pytorch", spy)
    enter("native", Task(shape(), op)).call()
    enter("channels-last", Task(shape(), op)).call()
    assert seen == [False] * 3 + [True] * 3


def test_operands_are_the_same_every_time_and_leave_the_generator_alone() -> None:
    before = torch.get_rng_state()
    first, second = Task(shape(), "y"), Task(shape(), "dW")
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.dy, second.dy)
    assert torch.equal(torch.get_rng_state(), before)


def test_only_the_operand_that_is_asked_for_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    masks: list[list[bool]] = []

    def spy(*arguments: Any) -> list[Tensor]:
        masks.append(arguments[-1])
        return [torch.empty(0)] * 3

    monkeypatch.setattr(torch.ops.aten, "convolution_backward", spy)
    for op in ("dX", "dW"):
        enter("native", Task(shape(), op)).call()
    assert masks == [[True, False, False], [False, True, False]]


def test_terms_are_what_a_number_of_the_result_sums() -> None:
    """Counted: with ones for operands, each number is how many products it sums, fewer at the border."""
    for groups in (1, 2):
        for op in OPS:
            task = Task(shape(C=4, O=6, groups=groups, N=5), op)
            for name in ("x", "w", "dy"):
                vars(task)[name] = torch.ones_like(getattr(task, name))
            most = task.truth().max()
            # every tap meets the kernel's middle rows, but in dX only some: the stride is 2
            assert most <= task.terms < 2.5 * most


def test_names_of_our_own() -> None:
    assert own_name("auto") == "handgrad"
    assert own_name("reference") == "handgrad/reference"


@pytest.mark.parametrize(
    ("algorithm", "chosen"), [("auto", ("auto", ())), ("own", ("auto", ("native",))), ("native", ("native", ()))]
)
def test_ours_run_under_their_own_setting(
    algorithm: str, chosen: tuple[str, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[setting.Setting] = []
    monkeypatch.setattr(own_module.functional, "conv2d", lambda *_, **__: seen.append(setting.current()))
    entry = enter(own_name(algorithm), Task(shape(), "y"))
    with setting.set_algorithm("reference"):
        entry.call()
        assert setting.current().algorithm == "reference"
    assert [(s.algorithm, s.exclude) for s in seen] == [chosen]


@pytest.mark.parametrize("op", [*OPS, *EACH])
def test_an_algorithm_that_refuses_does_not_enter(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(shape(), op)
    named = {
        "y": ("conv", task.x, task.w),
        "dW": ("conv_weight", task.x, task.dy),
        "dX": ("conv_input", task.w, task.dy),
    }
    named |= dict.fromkeys(EACH, named["dW"])

    def refusal(name: str, *asked: object) -> str:
        assert (name, asked[0], asked[3]) == ("gemm", named[op][0], task.shape.geometry)
        assert [*map(id, asked[1:3])] == [*map(id, named[op][1:])]
        return "not on Sundays"

    monkeypatch.setattr(own_module, "refusal", refusal)
    with pytest.raises(CannotEnter, match="not on Sundays"):
        enter("handgrad/gemm", task)


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contestants, "find_spec", lambda _: None)
    assert missing("jax") == "jax is not installed: pip install jax"
    assert missing("functorch") == "opacus is not installed: pip install 'handgrad[peers]'"
    assert missing("backpack") == "backpack is not installed: pip install 'handgrad[peers]'"
    assert missing("native") is None
    monkeypatch.setattr(contestants, "find_spec", lambda _: object())
    assert missing("jax") is None


class Made:
    """What a stand-in for JAX computes: a tensor one has to wait for."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.ready = False

    def block_until_ready(self) -> Made:
        self.ready = True
        return self

    def __array__(self, *_: object, **__: object) -> Any:
        assert self.ready
        return self.tensor.numpy()


def stand_in() -> Any:
    """As much of JAX as is used here, in PyTorch: convolutions with its arguments, and transposes."""

    def conv_general_dilated(
        lhs: Made,
        rhs: Made,
        window_strides: Any,
        padding: Any,
        rhs_dilation: Any,
        feature_group_count: int,
        dimension_numbers: Any,
    ) -> Made:
        letters = "DHW"[-len(window_strides) :]
        assert dimension_numbers == (f"NC{letters}", f"OI{letters}", f"NC{letters}")
        assert all(low == high for low, high in padding)
        conv = getattr(torch, f"conv{len(letters)}d")
        padding = [low for low, _ in padding]
        return Made(conv(lhs.tensor, rhs.tensor, None, window_strides, padding, rhs_dilation, feature_group_count))

    def linear_transpose(function: Any, operand: Made) -> Any:
        def transposed(dy: Made) -> tuple[Made]:
            tensor = operand.tensor.clone().requires_grad_()
            return (Made(*torch.autograd.grad(function(Made(tensor)).tensor, tensor, dy.tensor)),)

        return transposed

    jax: Any = ModuleType("jax")
    jax.config = SimpleNamespace(update=lambda *_: None)
    jax.devices = lambda kind: [kind]
    jax.device_put = lambda array, device: Made(torch.from_numpy(array)) if device == "cpu" else None
    jax.jit = lambda function: function
    jax.linear_transpose = linear_transpose
    jax.lax = SimpleNamespace(conv_general_dilated=conv_general_dilated)
    return jax


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_jax_is_called_as_it_wants_to_be(dims: int, op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", stand_in())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    task = Task(shape(dims=dims, groups=2), op, torch.float64, cores or 1)
    entry = enter("jax", task)
    torch.testing.assert_close(entry.tensor(entry.call()), by_autograd(task))
    with pytest.raises(CannotEnter, match=r"jax always runs on all \d+ cores"):
        enter("jax", Task(shape(), op, torch.float64, 1000))
