"""What holds for every function of `per_sample` and `kfac` besides its numbers: dtypes, empty batches, memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

import handgrad as hg
from handgrad._algorithms.gemm import samples
from handgrad.functional._sides import of_conv
from handgrad.per_sample import _positions, _products
from oracles import assert_equal

OPTIONS: dict[str, Any] = {"stride": 2, "padding": 1, "groups": 2}


def calls(dtype: torch.dtype = torch.float64, N: int = 3, **options: Any) -> dict[str, Callable[[], Any]]:
    """Every function, of operands of one kind; a transposed convolution's are larger where its grid is."""
    found: dict[str, Callable[[], Any]] = {}
    for name, dy_size, w in [
        ("conv2d", (N, 6, 4, 4), (6, 2, 3, 2)),
        ("conv_transpose2d", (N, 6, 13, 10), (4, 3, 3, 2)),
    ]:
        x, dy = torch.randn(N, 4, 7, 6).to(dtype), torch.randn(dy_size).to(dtype)
        operands, settings = (x, w, dy), OPTIONS | options
        dy.requires_grad_(not dy.is_complex())
        of = partial(getattr, hg.per_sample)
        found[f"{name}_weight"] = partial(of(f"{name}_weight"), *operands, **settings)
        found[f"{name}_bias"] = partial(of(f"{name}_bias"), dy)
        found[f"{name}_weight_sqnorm"] = partial(of(f"{name}_weight_sqnorm"), *operands, **settings)
        other, a = torch.randn(w).to(dtype), torch.randn(N)
        found[f"{name}_weight_dot"] = partial(of(f"{name}_weight_dot"), *operands, **settings, other=other)
        found[f"{name}_weight_gram"] = partial(of(f"{name}_weight_gram"), *operands, **settings)
        found[f"{name}_weight_weighted"] = partial(of(f"{name}_weight_weighted"), *operands, **settings, coefficients=a)
        found[f"{name}_factors"] = partial(getattr(hg.kfac, f"{name}_factors"), *operands, **settings)
    return found


NAMES = list(calls())
every_function = pytest.mark.parametrize("name", NAMES)


def tensors(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def test_these_are_all_the_functions_of_two_dimensions_and_the_others_have_the_same() -> None:
    offered = {name for name in (*hg.per_sample.__all__, *hg.kfac.__all__) if name.startswith("conv")}
    assert offered == {name.replace("2d", f"{dims}d") for name in NAMES for dims in (1, 2, 3)}


def test_a_function_says_what_it_takes_and_refuses_the_rest_in_its_own_name() -> None:
    assert str(inspect.signature(hg.per_sample.linear_weight_dot)).endswith(
        "grad_output: 'Tensor', *, other: 'Tensor', max_bytes: 'int' = 8388608) -> 'Tensor'"
    )
    assert "as in `conv3d_weight`" in hg.per_sample.conv3d_weight_gram.__doc__
    operands = torch.ones(1, 1, 2), (1, 1, 1), torch.ones(1, 1, 2)
    with pytest.raises(TypeError, match=r"^conv1d_weight_sqnorm\(\) got an unexpected keyword argument 'other'"):
        hg.per_sample.conv1d_weight_sqnorm(*operands, other=torch.ones(1, 1, 1))
    with pytest.raises(TypeError, match=r"^conv1d_weight_dot\(\) missing a required.* argument: 'other'"):
        hg.per_sample.conv1d_weight_dot(*operands)
    with pytest.raises(TypeError, match=r"^linear_factors\(\) missing a required argument: 'grad_output'"):
        hg.kfac.linear_factors(torch.ones(1, 2), (2, 2))


@every_function
def test_no_result_has_a_graph(name: str) -> None:
    assert not any(result.requires_grad for result in tensors(calls()[name]()))


@every_function
def test_autocast_changes_nothing(name: str) -> None:
    call = calls(torch.float32)[name]
    expected = tensors(call())
    with torch.autocast("cpu", torch.bfloat16):
        assert all(map(torch.equal, tensors(call()), expected))


@every_function
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_summed_in_float32_and_rounded_at_most_once(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    halves = tensors(calls(dtype)[name]())
    torch.manual_seed(1)
    rounded = name.endswith(("_weight", "_bias", "_weighted"))
    for half, truth in zip(halves, tensors(_in_float64(calls(dtype)[name])()), strict=True):
        assert half.dtype == (dtype if rounded else torch.float32)
        tolerance = torch.finfo(dtype).eps if rounded else 1e-5
        assert_equal(half.double(), truth, tolerance)


def _in_float64(call: Any) -> Callable[[], Any]:
    widened = [entry.detach().double() if isinstance(entry, Tensor) else entry for entry in call.args]
    named = {key: value.double() if isinstance(value, Tensor) else value for key, value in call.keywords.items()}
    return partial(call.func, *widened, **named)


@every_function
def test_an_empty_batch(name: str) -> None:
    result = tensors(calls(N=0)[name]())
    if name.endswith(("_weighted", "_factors")):
        assert not any(map(torch.count_nonzero, result))
    else:
        sizes = {"weight": (0, 6, 2, 3, 2), "bias": (0, 6), "sqnorm": (0,), "dot": (0,), "gram": (0, 0)}
        sizes |= {"weight": (0, 4, 3, 3, 2), "bias": (0, 6)} if "transpose" in name else {}
        assert result[0].shape == sizes[name.split("_")[-1]]


def test_without_input_channels_there_is_nothing() -> None:
    x, w, dy = torch.ones(2, 0, 5), (3, 0, 2), torch.ones(2, 0, 4)
    assert hg.per_sample.conv1d_weight(x, w, dy).shape == (2, *w)
    assert hg.per_sample.conv1d_weight_sqnorm(x, w, dy).tolist() == [0, 0]
    assert hg.per_sample.conv1d_weight_gram(x, w, dy).tolist() == [[0, 0], [0, 0]]
    assert hg.per_sample.conv1d_weight_dot(x, w, dy, other=torch.ones(w)).tolist() == [0, 0]


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
@pytest.mark.parametrize("cheaper", [True, False], ids=["positions", "gradients"])
def test_complex_numbers(name: str, cheaper: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """⟨a, b⟩ = Σ ā·b of gradients by PyTorch's autograd, whose convention conjugates."""
    monkeypatch.setattr(_products, "positions_are_cheaper", lambda _: cheaper)
    monkeypatch.setattr(_products, "pairs_are_cheaper", lambda _: cheaper)
    kind = torch.complex128
    x, w, v, a = (
        torch.randn(3, 4, 7, 6, dtype=kind),
        *torch.randn(2, 4, 2, 3, 2, dtype=kind),
        torch.randn(3, dtype=kind),
    )
    w.requires_grad_()
    y = getattr(torch, name)(x, w, **OPTIONS) if name == "conv2d" else torch.conv_transpose2d(x, w, None, 2, 1, 0, 2)
    dy = torch.randn_like(y)
    dw = torch.stack([torch.autograd.grad(y, w, dy * _only(n), retain_graph=True)[0] for n in range(3)])
    flat, of, operands = dw.flatten(1), partial(getattr, hg.per_sample), (x, w.shape, dy)
    assert_equal(of(f"{name}_weight")(*operands, **OPTIONS), dw)
    assert_equal(of(f"{name}_weight_sqnorm")(*operands, **OPTIONS), flat.abs().square().sum(1))
    assert_equal(of(f"{name}_weight_dot")(*operands, **OPTIONS, other=v), flat.conj() @ v.flatten())
    for max_bytes in (1, 1 << 20):
        gram = of(f"{name}_weight_gram")(*operands, **OPTIONS, max_bytes=max_bytes)
        assert_equal(gram, flat.conj() @ flat.mT)
    assert_equal(of(f"{name}_weight_weighted")(*operands, **OPTIONS, coefficients=a), torch.tensordot(a, dw, 1))


def _only(n: int) -> Tensor:
    return (torch.arange(3) == n).view(3, 1, 1, 1)


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that any operation makes; views of the operands are none."""

    def __init__(self, *operands: Tensor) -> None:
        super().__init__()
        self.bytes, self.given = 0, {operand.untyped_storage().data_ptr() for operand in operands}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **kwargs or {})
        if isinstance(result, Tensor) and result.untyped_storage().data_ptr() not in self.given:
            self.bytes = max(self.bytes, result.untyped_storage().nbytes())
        return result


@pytest.mark.parametrize("size", [16, 7], ids=["gradients", "positions"])
@pytest.mark.parametrize("name", ["sqnorm", "gram"])
def test_memory_is_bounded(name: str, size: int) -> None:
    """64 gradients take 9 MB here, the columns of all samples up to 38 MB, and no tensor of it exceeds 2 MiB."""
    x, dy = torch.randn(64, 64, size, size), torch.randn(64, 64, size, size)
    with Largest(x, dy) as seen:
        getattr(hg.per_sample, f"conv2d_weight_{name}")(x, (64, 64, 3, 3), dy, padding=1, max_bytes=2 << 20)
    assert 1 << 16 < seen.bytes <= 2 << 20


class Live(TorchDispatchMode):
    """The bytes that are held at once, of all that operations make; views of the operands are none."""

    def __init__(self, *operands: Tensor) -> None:
        super().__init__()
        self.bytes, self.given = 0, {operand.untyped_storage().data_ptr() for operand in operands}
        self.held: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **kwargs or {})
        if isinstance(result, Tensor) and (storage := result.untyped_storage()).data_ptr() not in self.given:
            self.held[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.held = {key: (ref, size) for key, (ref, size) in self.held.items() if not ref.expired()}
        self.bytes = max(self.bytes, sum(size for _, size in self.held.values()))
        return result


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("mode", ["zeros", "circular"])
@pytest.mark.parametrize(
    ("channels", "size", "stride", "most"),
    [((64, 16), 32, 4, 2 << 20), ((64, 64), 16, 1, 2 << 20), ((64, 64), 8, 1, 2 << 20), ((256, 256), 16, 4, 8 << 20)],
)
def test_all_that_a_norm_holds_at_once_is_bounded(
    channels: tuple[int, int], size: int, stride: int, most: int, mode: str, dtype: torch.dtype
) -> None:
    """With its copies in float32 and those that padding makes; a stride reads far more than its columns hold."""
    C, O = channels
    x, dy = torch.randn(32, C, size, size).to(dtype), torch.randn(32, O, size // stride, size // stride).to(dtype)
    options: dict[str, Any] = {"stride": stride, "padding": 1, "padding_mode": mode}
    with Live(x, dy) as seen:
        hg.per_sample.conv2d_weight_sqnorm(x, (O, C, 3, 3), dy, **options, max_bytes=most)
    assert most // 4 < seen.bytes <= most


def test_what_a_kernel_reads_is_bounded_where_padding_copies() -> None:
    x, dy = torch.randn(32, 64, 32, 32), torch.randn(32, 16, 8, 8)
    sides = of_conv("test", 2, x, (16, 64, 3, 3), dy, 4, 1, 1, 1, "circular")
    with Live(x, dy) as seen:
        for piece, padded in _products._read(sides, 2 << 20):
            assert padded.shape == (len(x[piece]), 64, 34, 34)
    assert 1 << 20 < seen.bytes <= 2 << 20


@pytest.mark.parametrize(("size", "groups", "positions"), [(10, 1, True), (11, 1, False), (3, 64, False)])
@pytest.mark.parametrize("algorithm", ["auto", "reference"])
def test_the_cheaper_way_is_taken(
    size: int, groups: int, positions: bool, algorithm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 channels and a kernel of 3 by 3: by operators they cross at L = 64 · 576 / 1.25 / (64 + 64 + 18 · 9) = 102."""
    taken = []

    def noted(name: str, function: Any) -> Any:
        return lambda *operands: (taken.append(name), function(*operands))[1]

    for name, module, function in (
        ("positions", _positions, "squared_norms"),
        ("gradients", _products, "_squared_norms_by_gradients"),
        ("kernel of pairs", samples, "squared_norms_of_pairs"),
    ):
        monkeypatch.setattr(module, function, noted(name, getattr(module, function)))
    operand = torch.randn(4, 64, size, size)
    with hg.set_algorithm(algorithm):
        hg.per_sample.conv2d_weight_sqnorm(operand, (64, 64 // groups, 3, 3), operand, padding=1, groups=groups)
    by_kernel = algorithm == "auto" and groups == 1
    assert taken == ["kernel of pairs" if by_kernel else "positions" if positions else "gradients"]


@pytest.mark.parametrize("algorithm", ["auto", "reference"])
@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
def test_a_norm_whose_pairs_cancel(name: str, algorithm: Any) -> None:
    """A nearly constant image under a dy without mean: the pairs' terms are 10¹⁰ times their sum, which is not 0."""
    x = 1 + 1e-4 * torch.randn(4, 128, 6, 6)
    dy = 1e4 * torch.randn(4, 128, 6, 6)
    dy -= dy.mean((2, 3), keepdim=True)
    dy[3] = torch.randn(128, 6, 6)
    with hg.set_algorithm(algorithm):
        sqnorm = getattr(hg.per_sample, f"{name}_weight_sqnorm")(x, (128, 128, 1, 1), dy)
    exact = torch.einsum("nohw,nchw->noc", dy.double(), x.double()).square().sum((1, 2))
    torch.testing.assert_close(sqnorm.double(), exact, rtol=0.02, atol=0)
