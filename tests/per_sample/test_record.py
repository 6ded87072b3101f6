"""`per_sample.record`: ordinary models under autograd, against `torch.func` in float64, and what it must refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

import handgrad as hg
from handgrad.per_sample import Samples, record
from handgrad.per_sample._modules import LAWS
from oracles import assert_equal

N = 3
close = partial(assert_equal, tolerance=1e-10)


class Block(nn.Module):
    """A residual block as they are written: in place, and with a second path."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1), nn.GroupNorm(2, 4)
        )
        self.shortcut = nn.Conv2d(4, 4, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        y += self.shortcut(x)
        return F.relu_(y)


class Tied(nn.Module):
    """A module that runs twice, and one that shares its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x.tanh()).tanh() + self.first(x))


class Words(nn.Module):
    """A table of words, whose weight is a layer's too, and a table of positions that all samples look up."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(7, 4, padding_idx=0), nn.Embedding(5, 4, max_norm=0.1)
        self.hidden, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.out = nn.Linear(4, 7)
        self.out.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        words = (x.abs() * 3).long() % 7
        return self.out(self.norm(self.hidden(self.words(words) + self.positions(torch.arange(5).expand(words.shape)))))


class Outputs(nn.Module):
    """Two outputs, one of which may be left alone."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b = nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.stem(x).tanh()
        return self.a(h), self.b(h)


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, 2, 1, groups=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, padding="same", padding_mode="circular", groups=4),
        nn.MaxPool2d(2),
        nn.Dropout(0.0),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


def resnet() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), Block(), Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


def generator() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (6, 1)),
        nn.ConvTranspose1d(6, 4, 3, 2, dilation=2, output_padding=1, groups=2),
        nn.LeakyReLU(0.1, inplace=True),
        nn.ConvTranspose1d(4, 2, 2, 2, 1),
        nn.Sigmoid(),
    )


def volume() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(2, 4, (2, 3, 2), dilation=(1, 2, 1)), nn.ELU(), nn.ConvTranspose3d(4, 2, 2, stride=(2, 1, 2))
    )


def normalized() -> nn.Module:
    """Every normalization, in evaluation those with running statistics."""
    with_statistics = nn.Sequential(
        nn.BatchNorm2d(4), nn.SyncBatchNorm(4), nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
    )
    for norm in with_statistics:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        nn.init.normal_(norm.weight)
    return nn.Sequential(
        nn.Conv2d(2, 4, 2),
        nn.InstanceNorm2d(4, affine=True),
        with_statistics.eval(),
        nn.GroupNorm(2, 4),
        nn.LayerNorm((4, 5, 6)),
        nn.RMSNorm((5, 6)),
    )


IMAGE = (2, 6, 7)
NETWORKS: dict[Callable[[], nn.Module], tuple[int, ...]] = {
    cnn: IMAGE,
    resnet: IMAGE,
    generator: (6,),
    volume: (2, 3, 6, 4),
    normalized: IMAGE,
    Tied: (4, 6),
    Words: (5,),
    Outputs: (6,),
}
every_network = pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__.lower())


def made(build: Callable[[], nn.Module], *size: int) -> tuple[nn.Module, Tensor]:
    """A network and its input, in float64."""
    torch.manual_seed(0)
    return build().double(), torch.randn(N, *(size or NETWORKS[build]), dtype=torch.float64)


def loss(y: Any) -> Tensor:
    """Of all samples, a sum; every entry has a weight of its own."""
    if isinstance(y, tuple):
        return loss(y[0]) + 2 * loss(y[1])
    weights = torch.arange(1, y[0].numel() + 1, dtype=torch.float64).view(y.shape[1:]) if y.dim() > 1 else 1.0
    return (y.sin() * weights).sum()


def truth(model: nn.Module, *inputs: Tensor, loss: Callable[[Any], Tensor] = loss) -> dict[nn.Parameter, Tensor]:
    """Of each trainable parameter (N, *shape), by vmap of grad."""
    trainable = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}

    def alone(parameters: dict[str, Tensor], *xs: Tensor) -> Tensor:
        return loss(torch.func.functional_call(model, parameters, tuple(x.unsqueeze(0) for x in xs)))

    found = torch.func.vmap(torch.func.grad(alone), (None, *[0] * len(inputs)))(trainable, *inputs)
    of_parameter = dict(model.named_parameters())
    return {of_parameter[name]: gradient for name, gradient in found.items()}


def agree(model: nn.Module, samples: Samples, expected: dict[nn.Parameter, Tensor]) -> None:
    """The same parameters and gradients, and the model as it was."""
    found = samples.gradients()
    assert set(found) == set(expected)
    for parameter, gradients in found.items():
        close(gradients, expected[parameter])
    untouched(model)


def untouched(model: nn.Module) -> None:
    for module in model.modules():
        assert not {**module._forward_hooks, **module._forward_pre_hooks}
        assert all(
            type(parameter) is nn.Parameter for parameter in module._parameters.values() if parameter is not None
        )
    assert not any(parameter._backward_hooks for parameter in model.parameters())


@contextmanager
def recorded(model: nn.Module) -> Iterator[tuple[Samples, dict[nn.Parameter, Tensor]]]:
    """`record` of a model whose parameters get gradients here, which must be the sum that autograd makes anyway."""
    model.zero_grad()
    with record(model) as samples:
        yield samples
    for parameter, gradients in samples.gradients().items():
        close(gradients.sum(0), parameter.grad)


@every_network
def test_every_quantity_is_that_of_torch_func(build: Callable[[], nn.Module]) -> None:
    model, x = made(build)
    expected = truth(model, x)
    with recorded(model) as samples:
        loss(model(x)).backward()
    agree(model, samples, expected)
    flat = torch.cat([expected[parameter].flatten(1) for parameter in samples.parameters()], 1)
    v = {parameter: torch.randn_like(parameter) for parameter in samples.parameters()}
    a = torch.randn(N, dtype=torch.float64)
    close(samples.sqnorm(), flat.square().sum(1))
    close(samples.gram(), flat @ flat.mT)
    close(samples.dot(v), flat @ torch.cat([direction.flatten() for direction in v.values()]))
    for parameter, weighted in samples.weighted(a).items():
        close(weighted, torch.tensordot(a, expected[parameter], 1))


@every_network
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_run_forward_again(build: Callable[[], nn.Module], reentrant: bool) -> None:
    model, x = made(build)
    expected = truth(model, x)
    with recorded(model) as samples:
        loss(checkpoint(model, x.requires_grad_(), use_reentrant=reentrant)).backward()
    agree(model, samples, expected)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_runs_its_part_again_when_others_are_recorded_already(reentrant: bool) -> None:
    model, x = made(resnet)
    expected = truth(model, x)
    with recorded(model) as samples:
        h = checkpoint(model[:2], x.requires_grad_(), use_reentrant=reentrant)
        loss(checkpoint(model[2:], h, use_reentrant=reentrant)).backward()
    agree(model, samples, expected)


@every_network
def test_accelerated_modules(build: Callable[[], nn.Module]) -> None:
    model, x = made(build)
    expected = truth(model, x)
    hg.accelerate(model)
    with recorded(model) as samples:
        loss(model(x)).backward()
    assert [*samples.gradients()]
    for parameter, gradients in samples.gradients().items():
        close(gradients, expected[parameter])


@every_network
def test_losses_of_one_forward_pass_add_up(build: Callable[[], nn.Module]) -> None:
    model, x = made(build)
    expected = truth(model, x)
    with recorded(model) as samples:
        y = model(x)
        loss(y).backward(retain_graph=True)
        (2 * loss(y)).backward()
    agree(model, samples, {parameter: 3 * gradient for parameter, gradient in expected.items()})


def test_one_of_several_outputs() -> None:
    model, x = made(Outputs)
    first = lambda y: loss(y[0])  # noqa: E731
    expected = truth(model, x, loss=first)
    with record(model) as samples:
        first(model(x)).backward()
    assert set(samples.parameters()) == {*model.stem.parameters(), *model.a.parameters()}
    for parameter, gradients in samples.gradients().items():
        close(gradients, expected[parameter])


def test_an_old_gradient_stays_in_the_sum_and_out_of_the_samples() -> None:
    model, x = made(cnn)
    expected = truth(model, x)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    with record(model) as samples:
        loss(model(x)).backward()
    agree(model, samples, expected)
    for parameter in model.parameters():
        close(parameter.grad, 1 + expected[parameter].sum(0))


@pytest.mark.parametrize("frozen", ["weight", "bias", "0."])
def test_frozen_parameters_have_no_entry(frozen: str) -> None:
    model, x = made(cnn)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(frozen not in name)
    expected = truth(model, x)
    with recorded(model) as samples:
        loss(model(x)).backward()
    agree(model, samples, expected)


def test_a_gradient_that_is_not_asked_for_is_no_use_of_the_parameters() -> None:
    model, x = made(cnn)
    expected = truth(model, x)
    with record(model) as samples:
        y = loss(model(x.requires_grad_()))
        torch.autograd.grad(y, x, retain_graph=True)
        assert samples.parameters() == []
        weight = model[0].weight
        torch.autograd.grad(y, weight, retain_graph=True)
    close(samples.gradients()[weight], expected[weight])
    assert samples.parameters() == [weight]


def test_evaluation_beside_it_is_not_recorded() -> None:
    model, x = made(cnn)
    expected = truth(model, x)
    with recorded(model) as samples:
        loss(model(x)).backward()
        with torch.no_grad():
            model(torch.cat([x, x]))
    agree(model, samples, expected)


def test_hooks_of_others_do_not_mislead() -> None:
    """What a module's own derivative gets is neither changed by a hook on its output nor by one on what follows."""
    model, x = made(cnn)
    handles = [
        model[0].register_forward_hook(lambda *call: 3 * call[2]),
        model[0].register_forward_pre_hook(lambda *call: (call[1][0] + 1,)),
        model[2].register_forward_hook(lambda *call: call[2].register_hook(lambda grad: grad.clamp(max=0.1)) and None),
        model[6].register_full_backward_pre_hook(lambda *call: (2 * call[1][0],)),
        model[6].register_full_backward_hook(lambda *call: (5 * call[1][0],)),
    ]
    one_by_one = []
    for n in range(N):
        model.zero_grad()
        loss(model(x[n : n + 1])).backward()
        one_by_one.append([parameter.grad for parameter in model.parameters()])
    with recorded(model) as samples:
        loss(model(x)).backward()
    for handle in handles:
        handle.remove()
    expected = [torch.stack(gradients) for gradients in zip(*one_by_one, strict=True)]
    agree(model, samples, dict(zip(model.parameters(), expected, strict=True)))


def test_a_view_that_is_changed_in_place() -> None:
    """Linear's output on three axes, and an unbatched convolution's, are views; in place they lose their own node."""
    model, x = made(lambda: nn.Sequential(nn.Linear(6, 4), nn.ReLU(inplace=True), nn.Linear(4, 3)), 5, 6)
    expected = truth(model, x)
    with recorded(model) as samples:
        loss(model(x)).backward()
    agree(model, samples, expected)
    model, x = made(lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 2)), *IMAGE)
    with recorded(model) as samples:
        loss(model(x[0])).backward()
    assert [gradients.shape[0] for gradients in samples.gradients().values()] == [1] * 4


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_transposed_convolution_with_an_output_size(dims: int) -> None:
    model, x = made(lambda: getattr(nn, f"ConvTranspose{dims}d")(2, 3, 3, stride=3, padding=1), 2, *(4, 3, 2)[:dims])
    y = model(x)
    size = [length + 2 for length in y.shape[2:]]
    run = lambda x: model(x, output_size=size)  # noqa: E731
    one_by_one = [torch.autograd.grad(loss(run(x[n : n + 1])), [*model.parameters()]) for n in range(N)]
    with recorded(model) as samples:
        loss(run(x)).backward()
    expected = [torch.stack(gradients) for gradients in zip(*one_by_one, strict=True)]
    agree(model, samples, dict(zip(model.parameters(), expected, strict=True)))


def test_a_subclass_that_computes_the_same() -> None:
    model, x = made(lambda: Renamed(2, 3, 2, stride=2), *IMAGE)
    expected = truth(model, x)
    with recorded(model) as samples:
        loss(model(x)).backward()
    agree(model, samples, expected)


def test_an_input_by_its_name() -> None:
    model, x = made(lambda: nn.Linear(6, 4), 6)
    expected = truth(model, x)
    with recorded(model) as samples:
        loss(model(input=x)).backward()
    agree(model, samples, expected)


def test_autocast_records_what_it_computed_with_in_the_parameters_dtype() -> None:
    model, x = made(cnn)
    expected = truth(model, x)
    model.float()
    with record(model) as samples:
        with torch.autocast("cpu", torch.bfloat16):
            y = model(x.float())
        loss(y.double()).backward()
    for parameter, gradients in samples.gradients().items():
        assert gradients.dtype == torch.float32
        assert_equal(gradients.double(), expected[parameter], tolerance=0.1)


def test_channels_last_and_an_accumulated_sum_of_many_uses_and_nan() -> None:
    """What decides whether a gradient is explained is its bits: the order of the sum, and NaN, must not matter."""
    model, x = made(cnn)
    model.to(memory_format=torch.channels_last)
    conv = model[2]
    with record(model) as samples:
        h = model[:2](x)
        for _ in range(5):
            h = conv(h) / 3
        y = h + conv(h * 7)
        (y.sum() * torch.nan).backward()
    assert all(gradients.isnan().any() for gradients in samples.gradients().values())


def test_a_distributed_model_has_the_samples_of_its_own_process() -> None:
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        model, x = made(cnn)
        expected = truth(model, x)
        parallel = nn.parallel.DistributedDataParallel(model)
        with recorded(parallel) as samples:
            loss(parallel(x)).backward()
        agree(model, samples, expected)
    finally:
        torch.distributed.destroy_process_group()


# ---- the model is as before, however the block ends ----------------------------------------------------------------


class Stop(BaseException):
    """As an interrupt, not an Exception."""


def fail(problem: type[BaseException], *_: Any) -> None:
    raise problem("on purpose")


@pytest.mark.parametrize("problem", [RuntimeError, Stop])
@pytest.mark.parametrize("where", ["block", "forward", "backward"])
def test_nothing_stays_after_an_exception(where: str, problem: type[BaseException]) -> None:
    model, x = made(cnn)
    before = [*model.parameters()]
    with pytest.raises(problem, match="on purpose"), record(model):
        run_and_fail(model, x, where, problem)
    untouched(model)
    assert all(now is then for now, then in zip(model.parameters(), before, strict=True))


def run_and_fail(model: nn.Module, x: Tensor, where: str, problem: type[BaseException]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if where == "forward":
            patch.setattr(F, "conv2d", partial(fail, problem))
        y = model(x)
    if where == "backward":
        y.register_hook(partial(fail, problem))
        loss(y).backward()
    fail(problem)


def test_a_forward_pass_that_failed_does_not_matter_to_the_next() -> None:
    model, x = made(lambda: nn.Linear(6, 4), 6)
    expected = truth(model, x)
    with recorded(model) as samples:
        with pytest.raises(RuntimeError, match="cannot be multiplied"):
            model(x.mT)
        loss(model(x)).backward()
    agree(model, samples, expected)


def test_nothing_stays_after_a_refusal() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.LSTM(5, 4))
    with pytest.raises(hg.HandgradError), record(model):
        pass
    untouched(model)


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_a_graph_that_outlives_the_block_records_no_more() -> None:
    model, x = made(cnn)
    with record(model) as samples:
        y = loss(model(x))
    y.backward(create_graph=True)  # which is refused inside
    assert samples.parameters() == []


# ---- what it cannot see, it refuses --------------------------------------------------------------------------------


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))


class Renamed(nn.ConvTranspose2d):
    """No other forward, and no number in its name."""


class Standardized(nn.Conv2d):
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(input, weight - weight.mean(), bias)


def patched() -> nn.Module:
    module = nn.Linear(6, 5)
    module.forward = lambda x: F.linear(x, 2 * module.weight)
    return module


OUT_OF_REACH: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "own": (Own, "2 has parameters that are not covered"),
    "PReLU": (nn.PReLU, "2 has parameters that are not covered"),
    "Bilinear": (lambda: nn.Bilinear(2, 3, 4), "2 has parameters that are not covered"),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(4, 3), "2 has parameters that are not covered"),
    "RNN": (lambda: nn.RNN(4, 3), "2 has parameters that are not covered"),
    "LSTM": (lambda: nn.LSTM(4, 3), "2 has parameters that are not covered"),
    "GRUCell": (lambda: nn.GRUCell(4, 3), "2 has parameters that are not covered"),
    "attention": (lambda: nn.MultiheadAttention(4, 2), "2 has parameters that are not covered"),
    "transformer": (lambda: nn.TransformerEncoderLayer(4, 2, 8), "2.self_attn has parameters that are not covered"),
    "weight_norm": (
        lambda: parametrizations.weight_norm(nn.Linear(4, 3)),
        "2.parametrizations.weight has parameters that are not covered",
    ),
    "pruned": (
        lambda: prune.l1_unstructured(nn.Linear(4, 3), "weight", 0.5),
        "2 has parameters that are not covered",
    ),
    "lazy": (lambda: nn.LazyConv2d(4, 3), "2 has parameters or gradients of a kind"),
    "sparse": (lambda: nn.Embedding(4, 3, sparse=True), "2 has parameters or gradients of a kind"),
    "frequencies": (lambda: nn.Embedding(4, 3, scale_grad_by_freq=True), "2 divides by how often"),
    "subclass": (lambda: Standardized(2, 3, 3), "2 has a forward of its own"),
    "patched": (patched, "2 has a forward of its own"),
    "explicit": (lambda: hg.layers.Conv2d(2, 3, 3), "2 is an explicit layer, outside autograd"),
    "DataParallel": (lambda: nn.DataParallel(nn.Linear(2, 3)), "2 splits the batch among devices"),
    "compiled": (lambda: torch.compile(nn.Linear(2, 3), backend="eager"), "2 is compiled"),
}


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize("kind", OUT_OF_REACH)
def test_what_is_out_of_reach_is_refused_at_once_by_its_path(kind: str) -> None:
    build, problem = OUT_OF_REACH[kind]
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), build())
    with pytest.raises(hg.HandgradError, match=f"^per_sample.record: {problem}") as refusal, record(model):
        pytest.fail("it was let in")
    assert "hint: " in str(refusal.value)


def test_a_module_compiled_in_place() -> None:
    model = nn.Linear(2, 3)
    model.compile(backend="eager")
    with pytest.raises(hg.HandgradError, match="record: the model is compiled"), record(model):
        pytest.fail("it was let in")


@pytest.mark.parametrize("model", [None, nn.Linear])
def test_what_is_no_module(model: Any) -> None:
    with refused(r"model must be a module\.\n  got  (NoneType|<class '.*Linear'>)$"), record(model):
        pass


def test_frozen_parameters_need_not_be_covered() -> None:
    model, x = made(lambda: nn.Sequential(nn.Linear(6, 5), nn.PReLU().requires_grad_(False), nn.Linear(5, 4)), 6)
    expected = truth(model, x)
    with recorded(model) as samples:
        loss(model(x)).backward()
    agree(model, samples, expected)


def refused(problem: str) -> Any:
    return pytest.raises(hg.HandgradError, match=f"record: {problem}")


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, affine=False),
        nn.BatchNorm2d(4, track_running_stats=False).eval(),
        nn.BatchNorm2d(4).requires_grad_(False),
        nn.SyncBatchNorm(4),
    ],
    ids=["training", "without weights", "without statistics", "frozen", "synchronized"],
)
def test_batch_statistics_mix_the_samples(norm: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Sequential(norm))
    with refused("1.0 mixes the samples by batch statistics"), record(model):
        model(torch.randn(N, *IMAGE))
    untouched(model)


def test_another_batch_needs_another_block() -> None:
    model, x = made(cnn)
    with refused("0 runs again after a backward pass"), record(model):
        loss(model(x)).backward()
        loss(model(x))


def test_modules_must_agree_about_the_samples() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.Flatten(0, 1), nn.Linear(4, 2))
    with pytest.raises(hg.HandgradError, match="disagree about the number of samples"), record(model):
        model(torch.randn(N, 5, 6)).sum().backward()


HIDDEN: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "function": lambda model, x: loss(F.linear(model(x), model[6].weight.mT)),
    "function alone": lambda model, x: loss(F.conv2d(x, model[0].weight, groups=2)),
    "penalty": lambda model, x: loss(model(x)) + 1e-9 * model[6].weight.square().sum(),
    "penalty on a bias": lambda model, x: loss(model(x)) + 1e-9 * model[2].bias.sum(),
    "forward": lambda model, x: loss(model[0].forward(x)),
}


@pytest.mark.parametrize("how", HIDDEN)
def test_a_part_of_a_gradient_that_no_call_explains(how: str) -> None:
    model, x = made(cnn)
    with refused(r"the gradient of \d\.\w+ has a part that no call of its module explains"), record(model):
        HIDDEN[how](model, x).backward()
    untouched(model)


def test_code_that_was_compiled_before_there_were_hooks() -> None:
    model, x = made(cnn)
    compiled = torch.compile(model, backend="eager")
    loss(compiled(x)).backward()
    with refused(r"the gradient of \d\.\w+ has a part"), record(model):
        loss(compiled(x)).backward()


def test_a_hook_that_changes_a_parameters_gradient() -> None:
    model, x = made(cnn)
    handle = model[0].weight.register_hook(lambda grad: grad.clamp(max=1))
    with refused("the gradient of 0.weight has a part"), record(model):
        loss(model(x)).backward()
    handle.remove()
    untouched(model)


def test_gradients_of_gradients() -> None:
    model, x = made(cnn)
    with refused("6 is asked for gradients that have a graph"), record(model):
        torch.autograd.grad(loss(model(x.requires_grad_())), x, create_graph=True)


def test_other_weights_than_its_own() -> None:
    model, x = made(cnn)
    others = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with refused("0 runs with another weight than its own"), record(model):
        torch.func.functional_call(model, others, x)
    with refused("0 runs with another weight than its own"), record(model), record(model):
        model(x)
    untouched(model)


def test_a_replica() -> None:
    """As DataParallel makes them: a copy that shares the hooks, with tensors in the place of parameters."""
    model, x = made(lambda: nn.Linear(6, 4), 6)
    with refused("the model runs with another weight than its own"), record(model):
        replica = model._replicate_for_data_parallel()
        replica._parameters = {}
        replica(x)


@pytest.mark.parametrize("what", ["x", "statistics"])
def test_a_change_before_it_is_asked_is_seen(what: str) -> None:
    model, x = made(normalized if what == "statistics" else cnn)
    expected = truth(model, x)
    with record(model) as samples:
        loss(model(x)).backward()
    if what == "x":
        x += 1
        with pytest.raises(hg.HandgradError, match="has changed since the backward pass"):
            samples.gradients()
    else:
        model[2][0].running_mean += 1
        agree(model, samples, expected)


@pytest.mark.parametrize("trainable", ["weight", "bias"])
def test_an_input_that_changes_before_the_backward_pass(trainable: str) -> None:
    """Autograd keeps the padded copy and lets it pass; to the bias it does not matter."""
    model, x = made(lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), *IMAGE)
    getattr(model, "bias" if trainable == "weight" else "weight").requires_grad_(False)
    expected = truth(model, x, loss=lambda y: 2 * loss(y))
    with (
        refused("the model had its input changed") if trainable == "weight" else nullcontext(),
        record(model) as samples,
    ):
        y = 2 * loss(model(x))
        x += 1
        y.backward()
    if trainable == "bias":
        agree(model, samples, expected)


def test_every_law_is_recorded_somewhere_here() -> None:
    built = {type(module) for build in NETWORKS for module in build().modules()}
    assert {cls.__name__.replace("1d", "2d").replace("3d", "2d") for cls in LAWS} <= {
        cls.__name__.replace("1d", "2d").replace("3d", "2d") for cls in built
    }
