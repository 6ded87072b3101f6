"""Which algorithm runs: the cheapest that can, the one that is asked for, or none and why; what kernels never get."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

import handgrad as hg
from handgrad._algorithms import channels_last, costs, modules, native, reference, run
from handgrad._algorithms.choose import by_cost, choose
from handgrad._algorithms.setting import current
from handgrad._geometry import ConvGeometry
from oracles import assert_equal

X, W, DY = torch.randn(2, 3, 6, 5), torch.randn(4, 3, 3, 2), torch.randn(2, 4, 4, 4)
GEOMETRY = ConvGeometry((6, 5), (4, 4), (3, 2), (1, 1), (1, 1), ((0, 0), (0, 0)), 1)
OPERANDS = {"conv": (X, W), "conv_weight": (X, DY), "conv_input": (W, DY)}


class Kernel:
    """An algorithm that says it can, and counts how often it is called; its numbers are the reference's."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses, self.calls = refuses, 0

    def refusal(self, *_: object) -> str:
        return self.refuses

    def __getattr__(self, op: str) -> Callable[..., Tensor]:
        def compute(a: Tensor, b: Tensor, geometry: ConvGeometry) -> Tensor:
            self.calls += 1
            return getattr(reference, op)(a, b, geometry)

        return compute


@pytest.fixture
def gemm(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A kernel in the place of `gemm`, cheaper than all others, on a fresh memory of choices."""
    kernel = Kernel()
    known = {"gemm": kernel, "depthwise": Kernel("not depthwise"), "reference": reference, "native": native}
    monkeypatch.setattr(modules, "load", known.__getitem__)
    monkeypatch.setattr(run, "load", modules.load)
    monkeypatch.setattr(run, "_chosen", {})
    monkeypatch.setattr(modules, "_numba_is_there", lambda: True)
    cheap = {("gemm", torch.float32): costs.Cost(0, 1e6, 1e6, 1e6)}
    monkeypatch.setattr(costs, "_RATES", {kind: rates | cheap for kind, rates in costs._RATES.items()})
    return kernel


def test_the_cheapest_runs_and_is_chosen_once(gemm: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(run, "choose", lambda *args: asked.append(args[1]) or choose(*args))
    with hg.set_algorithm("auto"):
        for _ in range(3):
            hg.conv2d(X, W)
            hg.conv2d_backward(DY, X, W)
    assert gemm.calls == 9
    assert asked == ["conv", "conv_input", "conv_weight"]


@pytest.mark.parametrize("change", ["dtype", "sizes", "strides", "setting", "threads"])
@pytest.mark.usefixtures("gemm")
def test_another_kind_of_operands_is_another_choice(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(run, "choose", lambda *args: asked.append(args[1]) or choose(*args))
    with hg.set_algorithm("gemm"):
        hg.conv2d(X, W)
        if change == "setting":
            hg.conv2d(X, W, algorithm="reference")
        elif change == "threads":
            monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
            hg.conv2d(X, W)
        else:
            x = {"dtype": X.double(), "sizes": X[:1], "strides": X.to(memory_format=torch.channels_last)}[change]
            hg.conv2d(x, W.to(x.dtype))
    assert asked == ["conv", "conv"]


def test_who_refuses_is_passed_over(gemm: Kernel) -> None:
    gemm.refuses = "not today"
    hg.conv2d(X, W)
    assert gemm.calls == 0


def test_what_is_dearer_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_chosen", {})
    monkeypatch.setattr(modules, "load", {"native": native}.__getitem__)
    order = by_cost("conv", X, W, GEOMETRY, current())
    assert next(iter(order)) == "native"  # a handful of products: whoever starts first wins
    assert choose("conv2d", "conv", X, W, GEOMETRY, current()) == "native"


def test_the_model_of_cost_says_what_is_known_of_them() -> None:
    image, kernel = torch.empty(64, 64, 56, 56).double(), torch.empty(64, 64, 3, 3).double()
    geometry = ConvGeometry((56, 56), (56, 56), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), 1)
    assert costs.flops("conv", image, kernel, geometry) == 2 * 64 * 64 * 64 * 9 * 56 * 56
    assert list(by_cost("conv", image, kernel, geometry, current()))[:2] == ["gemm", "native"]
    geometry = ConvGeometry((56, 56), (56, 56), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), 64)
    assert next(iter(by_cost("conv", image, kernel[:, :1], geometry, current()))) == "depthwise"
    halves = by_cost("conv", image.half(), kernel.half()[:, :1], geometry, current())
    assert halves["gemm"] == halves["depthwise"] == float("inf")
    complex_ones = by_cost("conv", image.cfloat(), kernel.cfloat()[:, :1], geometry, current())
    assert next(iter(complex_ones)) == "reference"
    on_a_gpu = by_cost("conv", torch.empty(2, 3, 6, 5, device="meta"), W, GEOMETRY, current())
    assert next(iter(on_a_gpu)) == "native"


def test_where_bits_matter_the_number_of_threads_does_not_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = {}
    for deterministic in (False, True):
        for threads in (1, 64):
            monkeypatch.setattr(torch, "get_num_threads", lambda of=threads: of)
            with hg.set_algorithm("auto", deterministic=deterministic):
                orders[deterministic, threads] = by_cost("conv", X, W, GEOMETRY, current())
    assert orders[True, 1] == orders[True, 64]
    assert orders[False, 1] != orders[False, 64]


@pytest.mark.parametrize("op", OPERANDS)
def test_sizes_are_found_in_whatever_is_given(op: str) -> None:
    assert costs.sizes(op, *OPERANDS[op], GEOMETRY) == (2, 4, 3)


def test_a_forced_algorithm_that_cannot_says_why_and_who_can(gemm: Kernel) -> None:
    gemm.refuses = "too large"
    words = r"^conv2d_weight: algorithm 'gemm' cannot compute this\.\n  why   too large\n  able  reference, native$"
    with pytest.raises(hg.HandgradError, match=words):
        hg.conv2d_weight(X, W.shape, DY, algorithm="gemm")
    with pytest.raises(hg.HandgradError, match=r"\n  why   complex numbers: PyTorch has no operator for their gr"):
        hg.conv2d(X.cfloat(), W.cfloat(), algorithm="native")
    words = (
        r"^conv2d: none of the algorithms that are left can compute this\.\n  native  complex numbers.*\n  able    none"
    )
    with (
        hg.set_algorithm("auto", exclude=["reference", "gemm", "depthwise"]),
        pytest.raises(hg.HandgradError, match=words),
    ):
        hg.conv2d(X.cfloat(), W.cfloat())


class Sub(Tensor):
    pass


def traced(x: Tensor) -> Any:
    return make_fx(lambda x: hg.conv2d(x, W))(x)(x)


def watched(x: Tensor) -> Tensor:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        y = hg.conv2d(x, W)
    assert counter.get_total_flops() == 2 * 2 * 4 * 16 * 18
    return y


def forward_mode(x: Tensor) -> Tensor:
    import torch.autograd.forward_ad as fwd

    with fwd.dual_level():
        y, tangent = fwd.unpack_dual(hg.conv2d(fwd.make_dual(x, 2 * x), W))
    assert_equal(tangent, 2 * y, 1e-6)
    return y


# What a kernel must never be given, since it would see other numbers than these, or none, or nobody would see it.
UNREADABLE: dict[str, Callable[[Tensor], Any]] = {
    "subclass": lambda x: hg.conv2d(x.as_subclass(Sub), W).as_subclass(Tensor),
    "vmap": lambda x: torch.vmap(lambda x: hg.conv2d(x, W))(x),
    "vmap over weights": lambda x: torch.vmap(lambda w: hg.conv2d(x, w))(W[None])[0],
    "jvp": lambda x: torch.func.jvp(lambda x: hg.conv2d(x, W), (x,), (x,))[1],
    "forward mode": forward_mode,
    "make_fx": traced,
    "jit.trace": lambda x: torch.jit.trace(lambda x: hg.conv2d(x, W), x, check_trace=False)(x),
    "dispatch mode": watched,
    "negated view": lambda x: hg.conv2d(torch.complex(x, -x).conj().imag, W),
    "torch.compile": lambda x: torch.compile(lambda x: hg.conv2d(x, W), fullgraph=True, backend="eager")(x),
}


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit.trace")
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize("how", UNREADABLE)
def test_kernels_get_only_what_they_can_read(how: str, gemm: Kernel) -> None:
    assert_equal(UNREADABLE[how](X), torch.conv2d(X, W), 1e-5)
    assert gemm.calls == 0
    hg.conv2d(X, W)
    assert gemm.calls == 1


def test_sizes_without_numbers(gemm: Kernel) -> None:
    assert hg.conv2d(X.to("meta"), W.to("meta")).shape == (2, 4, 4, 4)
    assert gemm.calls == 0


@pytest.mark.usefixtures("gemm")
def test_a_forced_kernel_is_told_of_what_it_cannot_read() -> None:
    with pytest.raises(hg.HandgradError, match=r"\n  why   only plain tensors on a CPU have numbers that a kernel can"):
        torch.vmap(lambda x: hg.conv2d(x, W, algorithm="gemm"))(X[None])
    compiled = torch.compile(lambda x: hg.conv2d(x, W, algorithm="gemm"), backend="eager", fullgraph=True)
    with pytest.raises(Exception, match="cannot be compiled"):
        compiled(X)


def test_without_numba_one_warning_and_everything_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, package: str | None = None) -> Any:
        if name == "numba":
            raise ImportError("No module named 'numba'")
        return import_module(name, package)

    monkeypatch.setattr(modules, "import_module", absent)
    monkeypatch.setattr(run, "_chosen", {})
    modules._numba_is_there.cache_clear()
    try:
        with pytest.warns(hg.HandgradWarning, match="own kernels are off, and PyTorch's .* 'numba'$") as seen:
            refusals = [modules.refusal(name, "conv", X, W, GEOMETRY) for name in ("gemm", "depthwise")]
        assert refusals == ["numba is not installed"] * 2
        assert len(seen) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_equal(hg.conv2d(X, W), torch.conv2d(X, W), 1e-5)
    finally:
        modules._numba_is_there.cache_clear()


@pytest.mark.parametrize("op", OPERANDS)
@pytest.mark.parametrize("module", [reference, native, channels_last])
def test_every_module_offers_the_same_four(module: Any, op: str) -> None:
    a, b = OPERANDS[op]
    assert module.refusal(op, a, b, GEOMETRY) == ""
    assert_equal(getattr(module, op)(a, b, GEOMETRY), getattr(reference, op)(a, b, GEOMETRY), 1e-5)


def test_channels_last_gives_back_what_lies_as_the_operand_does() -> None:
    assert channels_last.conv(X, W, GEOMETRY).is_contiguous()
    x = X.to(memory_format=torch.channels_last)
    assert channels_last.conv(x, W, GEOMETRY).is_contiguous(memory_format=torch.channels_last)
    line = ConvGeometry((6,), (4,), (3,), (1,), (1,), ((0, 0),), 1)
    assert channels_last.refusal("conv", X[..., 0], W[..., 0], line) == "one dimension has no channels-last"
