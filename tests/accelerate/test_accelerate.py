"""Whole networks compute what they did: values, gradients of every order, under every transformation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.autograd.forward_ad as fwd
from networks import NETWORKS, counted, network
from torch import Tensor, nn

import handgrad as hg
from handgrad._accelerate.form import Form
from oracles import assert_equal

every_network = pytest.mark.parametrize("name", NETWORKS)


def by_kernels_too(test: Any) -> Any:
    """By PyTorch's own convolution, which is the cheapest for so little, and by the kernels."""
    return pytest.mark.usefixtures("algorithm")(
        pytest.mark.parametrize("algorithm", ["native", "gemm"], indirect=True)(test)
    )


def twins(name: str) -> tuple[nn.Module, nn.Module, Tensor]:
    """A network as it was, one that is accelerated, and an input."""
    original, x = network(name)
    return original, hg.accelerate(copy.deepcopy(original)), x


def gradients(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Of the sum of squares with respect to the input and every parameter."""
    return list(torch.autograd.grad(model(x).square().sum(), [x, *model.parameters()]))


def flat(found: Any) -> list[Tensor]:
    return list(torch.utils._pytree.tree_leaves(found))


def same(ours: Any, truth: Any, tolerance: float = 1e-12) -> None:
    ours, truth = flat(ours), flat(truth)
    assert len(ours) == len(truth) > 0
    for a, b in zip(ours, truth, strict=True):
        assert_equal(a, b, tolerance)


@pytest.mark.usefixtures("algorithm")
@every_network
def test_values_and_gradients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, model, x = twins(name)
    convolutions = sum(isinstance(m, nn.modules.conv._ConvNd) for m in model.modules())
    with counted(monkeypatch) as calls:
        same(model(x), original(x))
        assert len(calls) == convolutions
        same(gradients(model, x), gradients(original, x))
        assert len(calls) == convolutions * 4


@by_kernels_too
@pytest.mark.parametrize("name", ["padding modes", "one dimension", "three dimensions", "unbatched"])
def test_gradients_of_gradients(name: str) -> None:
    _, model, x = twins(name)
    parameters = dict(model.named_parameters())

    def outputs(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(model, dict(zip(parameters, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(outputs, (x, *parameters.values()), fast_mode=True)
    assert torch.autograd.gradgradcheck(outputs, (x, *parameters.values()), fast_mode=True)


def test_a_penalty_on_gradients_reaches_the_weights() -> None:
    """Double backward through the weight: the gradient of ‖∂L/∂w‖² with respect to x and to w."""
    found = []
    for model, x in zip(twins("lenet")[:2], [twins("lenet")[2]] * 2, strict=True):
        inner = torch.autograd.grad(model(x).square().sum(), [x, *model.parameters()], create_graph=True)
        penalty = sum(gradient.square().sum() for gradient in inner)
        found.append(torch.autograd.grad(penalty, [x, *model.parameters()]))
    same(found[1], found[0])


def loss(model: nn.Module) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
    return lambda values, x: torch.func.functional_call(model, values, (x,)).square().sum()


# From a model and a detached input to tensors.
TRANSFORMED: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "grad": lambda m, x: torch.func.grad(loss(m))(values(m), x),
    "grad of grad": lambda m, x: torch.func.grad(
        lambda v: sum(g.square().sum() for g in torch.func.grad(loss(m))(v, x).values())
    )(values(m)),
    "vmap": lambda m, x: torch.vmap(m, in_dims=1)(torch.stack([x, 2 * x], 1)),
    "per-sample gradients": lambda m, x: torch.vmap(torch.func.grad(loss(m)), (None, 0))(values(m), x[:, None]),
    "an ensemble": lambda m, x: torch.vmap(torch.func.grad(loss(m)), (0, None))(stacked(m), x),
    "an ensemble, each with its own": lambda m, x: torch.vmap(torch.func.grad(loss(m)))(
        stacked(m), torch.stack([x, 2 * x, 3 * x])
    ),
    "jacrev": lambda m, x: torch.func.jacrev(m)(x),
    "jacrev of jacrev": lambda m, x: torch.func.jacrev(torch.func.jacrev(lambda x: m(x).sin().sum()))(x),
    "jacfwd": lambda m, x: torch.func.jacfwd(m)(x),
    "hessian": lambda m, x: torch.func.hessian(lambda x: m(x).sin().sum())(x),
    "jvp": lambda m, x: torch.func.jvp(m, (x,), (x.sin(),)),
    "vmap over nothing of it": lambda m, x: torch.vmap(lambda s: m(x) * s)(torch.arange(3.0).double()),
}  # fmt: skip


def values(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def stacked(model: nn.Module) -> dict[str, Tensor]:
    """Three models' parameters."""
    return {name: torch.stack([value, value.sin(), value.flip(0)]) for name, value in values(model).items()}


@by_kernels_too
@pytest.mark.parametrize("how", TRANSFORMED)
@pytest.mark.parametrize("name", ["lenet", "unet", "padding modes", "one dimension", "three dimensions"])
def test_transformations(how: str, name: str) -> None:
    original, model, x = twins(name)
    same(TRANSFORMED[how](model, x.detach()), TRANSFORMED[how](original, x.detach()), 1e-11)


@pytest.mark.parametrize("how", ["grad", "vmap", "per-sample gradients", "an ensemble", "jacrev"])
def test_transformations_are_computed_by_the_operators(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model, x = twins("lenet")
    with counted(monkeypatch) as calls:
        TRANSFORMED[how](model, x.detach())
    assert set(calls) >= ({"conv"} if how == "vmap" else {"conv", "conv_input"})


def test_forward_mode_is_right_or_raises() -> None:
    original, model, x = twins("lenet")
    y, tangent = model(x), torch.randn_like(x)
    with fwd.dual_level():
        dual, ones = fwd.make_dual(x, tangent), torch.ones_like(y)
        same(fwd.unpack_dual(model(dual)).tangent, fwd.unpack_dual(original(dual)).tangent)
        with pytest.raises(RuntimeError, match="jvp"):  # built outside, differentiated inside
            torch.autograd.grad(y, x, fwd.make_dual(ones, ones))
        with pytest.raises(RuntimeError, match="jvp"):
            Form.apply("conv", dual, model[0][0].weight, (10, 10), (1, 1), (2, 2, 2, 2), (1, 1), 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["residual", "unet", "padding modes", "one dimension"])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_as_one_graph(backend: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, model, x = twins(name)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    with counted(monkeypatch) as calls:
        same(gradients(compiled, x), gradients(original, x))
        assert set(calls) == {"conv", "conv_weight", "conv_input"}
    larger = torch.cat([x, x, x]).detach().requires_grad_()  # another batch: sizes become symbols
    same(gradients(compiled, larger), gradients(original, larger))
    channels_last = x.detach().movedim(1, -1).contiguous().movedim(-1, 1).requires_grad_()
    same(gradients(compiled, channels_last), gradients(original, channels_last))


@pytest.mark.slow
def test_compiled_by_inductor() -> None:
    original, model, x = twins("lenet")
    torch._dynamo.reset()
    same(gradients(torch.compile(model, fullgraph=True), x), gradients(original, x))


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_exported(strict: bool) -> None:
    """What is exported runs where handgrad is not: it is the network as it was."""
    original, model, x = twins("unet")
    program = torch.export.export(model, (x,), strict=strict)
    same(program.module()(x), original(x))
    assert "ops.handgrad" not in program.graph_module.print_readable(print_output=False)  # its inner graphs too


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    original, model, x = twins("lenet")
    original, model, x = original.float(), model.float(), x.detach().float()
    with counted(monkeypatch) as calls:
        with torch.autocast("cpu", dtype):
            y = model(x)
            assert y.dtype == dtype
            same(y, original(x))
        assert calls == []
        model(x)
        assert calls == ["conv", "conv"]


class Sub(Tensor):
    pass


# What goes to the module's own forward, so that the result is the original's to the last bit.
NOT_COVERED: dict[str, tuple[Callable[[nn.Module], nn.Module], Callable[[Tensor], Tensor]]] = {
    "half": (lambda m: m.bfloat16(), lambda x: x.bfloat16()),
    "complex": (lambda m: m.to(torch.complex128), lambda x: x.to(torch.complex128)),
    "another device": (lambda m: m.to("meta"), lambda x: x.to("meta")),
    "a subclass": (lambda m: m, lambda x: x.as_subclass(Sub)),
    "no images": (lambda m: m, lambda x: x[:0]),
}


@pytest.mark.parametrize("how", NOT_COVERED)
@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
def test_what_is_not_covered_goes_to_the_original(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, model, x = twins("padding modes")
    of_model, of_x = NOT_COVERED[how]
    with counted(monkeypatch) as calls:
        ours = of_model(model)(of_x(x.detach()))
    theirs = of_model(original)(of_x(x.detach()))
    assert calls == []
    assert (type(ours), ours.dtype, ours.device, ours.shape) == (
        type(theirs),
        theirs.dtype,
        theirs.device,
        theirs.shape,
    )
    assert ours.is_meta or torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("module", "size"),
    [
        (nn.Conv2d(3, 4, 3), (2, 5, 8, 8)),  # channels
        (nn.Conv2d(3, 4, 3), (3, 8)),  # axes
        (nn.Conv2d(3, 4, 5), (1, 3, 4, 4)),  # kernel larger than the input
        (nn.Conv2d(3, 4, 3, padding=4, padding_mode="reflect"), (1, 3, 4, 4)),
        (nn.ConvTranspose2d(3, 4, 3, padding=5), (1, 3, 2, 2)),
        (nn.ConvTranspose2d(3, 4, 3, output_padding=2), (1, 3, 2, 2)),
    ],
)
def test_errors_are_the_modules_own(module: nn.Module, size: tuple[int, ...]) -> None:
    x = torch.randn(size)
    with pytest.raises((RuntimeError, ValueError)) as theirs:
        module(x)
    with pytest.raises(theirs.type) as ours:
        hg.accelerate(copy.deepcopy(module))(x)
    assert str(ours.value) == str(theirs.value)


def test_the_algorithm_is_the_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    from handgrad._algorithms import reference

    _, model, x = twins("lenet")
    asked: list[str] = []
    for op in ("conv", "conv_weight", "conv_input"):
        function = getattr(reference, op)
        monkeypatch.setattr(reference, op, lambda *args, of=op, call=function: asked.append(of) or call(*args))
    with hg.set_algorithm("reference"):
        gradients(model, x)
    assert sorted(asked) == ["conv"] * 2 + ["conv_input"] * 2 + ["conv_weight"] * 2
    with hg.set_algorithm("depthwise"), pytest.raises(hg.HandgradError, match="algorithm 'depthwise' cannot compute"):
        model(x)


@pytest.mark.parametrize("operand", ["x", "w"])
def test_memory_format_goes_through(operand: str) -> None:
    module, x = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 6, 5)
    if operand == "x":
        x = x.to(memory_format=torch.channels_last)
    else:
        module = module.to(memory_format=torch.channels_last)
    y = hg.accelerate(module)(x)
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_only_what_is_needed_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = hg.accelerate(nn.Conv2d(3, 4, 3))
    with counted(monkeypatch) as calls:
        module(torch.randn(2, 3, 6, 5)).sum().backward()
        assert calls == ["conv", "conv_weight"]
        calls.clear()
        module.weight.requires_grad_(False)
        module(torch.randn(2, 3, 6, 5, requires_grad=True)).sum().backward()
        assert calls == ["conv", "conv_input"]
