"""Every function of `per_sample` and `kfac` against one sample at a time, by the framework's autograd in float64.

The matrix: dimensions, transposed or not, every stride with a remainder, dilation, groups, depthwise, padding in every
form and mode, batched and not, bias. The columns of the Kronecker factors are the framework's as well: its convolution
with a weight that lets one tap of one channel through.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor

from cases import Case, Operands
from handgrad import kfac, per_sample
from oracles import assert_equal, gradients, torch_conv

N = 3
GRID, KERNEL = (7, 8, 6), (2, 3, 2)  # a stride of 3 leaves a remainder in one axis at least
SIZES = {"dense": (2, 3, 1), "groups": (4, 6, 2), "depthwise": (3, 6, 3)}  # C, O, G
PADDINGS: dict[str, Any] = {
    "int": lambda dims: 1,  # noqa: ARG005
    "same": lambda dims: "same",  # noqa: ARG005
    "valid": lambda dims: "valid",  # noqa: ARG005
    "asymmetric": lambda dims: [(2, 1), (0, 2), (1, 0)][:dims],
}
MODES = ["zeros", "reflect", "replicate", "circular"]
DIMS = [1, 2, 3]
close = partial(assert_equal, tolerance=1e-10)
of = partial(getattr, per_sample)


def grid(dims: int) -> tuple[int, ...]:
    return GRID[:dims] if dims < 3 else (4, 5, 4)


def convolutions(dims: int) -> list[Case]:
    found = []
    for sizes, padding, mode, stride, dilation in product(SIZES.values(), PADDINGS, MODES, (1, 3), (1, 2)):
        if padding == "same" and stride > 1:
            continue
        C, O, G = sizes
        options = {"stride": stride, "padding": PADDINGS[padding](dims), "dilation": dilation, "groups": G}
        x, w = (N, C, *grid(dims)), (O, C // G, *KERNEL[:dims])
        found.append(Case("", x, w, options | {"padding_mode": mode}))
    return found


def transposed(dims: int) -> list[Case]:
    found = []
    for sizes, padding, stride, dilation in product(SIZES.values(), ("int", "asymmetric"), (1, 3), (1, 2)):
        C, O, G = sizes
        options = {"stride": stride, "padding": PADDINGS[padding](dims), "dilation": dilation, "groups": G}
        options["output_padding"] = max(stride, dilation) - 1
        x, w = (N, C, *(size - 1 for size in grid(dims))), (C, O // G, *KERNEL[:dims])
        found.append(Case("", x, w, options, transposed=True))
    return found


def named(case: Case) -> str:
    return f"{case.name} {case.w} " + " ".join(str(value) for value in case.options.values())


CASES = [pytest.param(case, id=named(case)) for d in DIMS for case in (*convolutions(d), *transposed(d))]
every_case = pytest.mark.parametrize("case", CASES)


def spoken(case: Case) -> Case:
    """In the framework's words, which have no 'valid' beside a padding mode."""
    return case._replace(options=case.options | {"padding": 0}) if case.options["padding"] == "valid" else case


def one_by_one(case: Case, x: Tensor, w: Tensor, b: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """Every sample's dw and db, each by autograd of that sample alone."""
    found = [
        gradients(lambda w, b, x=x[n : n + 1]: spoken(case).framework(x, w, b), (w, b), dy[n : n + 1])
        for n in range(len(x))
    ]
    dw, db = zip(*found, strict=True)
    return torch.stack(dw), torch.stack(db)


def check(case: Case, operands: Operands, batched: bool = True) -> None:
    x, w, b, dy = operands
    if not batched:
        x, dy = x[:1], dy[:1]
    dw, db = one_by_one(case, x, w, b, dy)
    flat, v, a = dw.flatten(1), torch.randn_like(w), torch.randn(len(x), dtype=torch.float64)
    ours = x if batched else x[0], w.shape, dy if batched else dy[0]
    close(of(f"{case.name}_weight")(*ours, **case.options), dw)
    close(of(f"{case.name}_bias")(ours[2]), db)
    close(of(f"{case.name}_weight_sqnorm")(*ours, **case.options), flat.square().sum(1))
    close(of(f"{case.name}_weight_dot")(*ours, **case.options, other=v), flat @ v.flatten())
    close(of(f"{case.name}_weight_gram")(*ours, **case.options), flat @ flat.mT)
    weighted = of(f"{case.name}_weight_weighted")(*ours, **case.options, coefficients=a)
    close(weighted, (a.view(-1, *[1] * w.dim()) * dw).sum(0))


@every_case
@pytest.mark.parametrize("batched", [True, False], ids=["batch", "one"])
def test_per_sample(case: Case, batched: bool) -> None:
    check(case, spoken(case).operands(), batched)


@every_case
@pytest.mark.parametrize("way", [True, False], ids=["positions", "gradients"])
def test_either_way_and_in_pieces(case: Case, way: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cheaper must not decide about what is right, nor how much fits at a time."""
    monkeypatch.setattr("handgrad.per_sample._products.positions_are_cheaper", lambda _: way)
    monkeypatch.setattr("handgrad.per_sample._products.pairs_are_cheaper", lambda _: way)
    x, w, b, dy = spoken(case).operands()
    dw = one_by_one(case, x, w, b, dy)[0].flatten(1)
    for max_bytes in (1, 5000):
        sqnorm = of(f"{case.name}_weight_sqnorm")
        close(sqnorm(x, w.shape, dy, **case.options, max_bytes=max_bytes), dw.square().sum(1))
        gram = of(f"{case.name}_weight_gram")
        close(gram(x, w.shape, dy, **case.options, max_bytes=max_bytes), dw @ dw.mT)


def columns(x: Tensor, kernel: tuple[int, ...], **options: Any) -> Tensor:
    """(N, C, *I) → (N, C·K, *L), by the framework's convolution with a weight for each tap of each channel."""
    C, K = x.shape[1], prod(kernel)
    return torch_conv(x, torch.eye(C * K, dtype=x.dtype).view(C * K, C, *kernel), **options)


def sides(case: Case, x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """(N, G, height, L) of the input's side and of dy's."""
    options = {name: value for name, value in spoken(case).options.items() if name not in ("groups", "output_padding")}
    a, b = (x, dy) if case.transposed else (columns(x, case.w[2:], **options), dy)
    if case.transposed:  # output_padding may leave room for one window more than there were inputs
        b = columns(dy, case.w[2:], **options)[(..., *map(slice, x.shape[2:]))]
    return tuple(side.flatten(2).unflatten(1, (case.options["groups"], -1)) for side in (a, b))


def moment(side: Tensor, kind: str) -> Tensor:
    """(N, G, h, L) → (G, h, h), one sample and one position at a time."""
    out = side.new_zeros(side.shape[1], side.shape[2], side.shape[2])
    for n in range(len(side)):
        vectors = side[n].unbind(-1) if kind == "expand" else [side[n].sum(-1)]
        for v in vectors:  # (G, h)
            out += v.unsqueeze(2) * v.unsqueeze(1)
    return out


@every_case
@pytest.mark.parametrize("kind", ["expand", "reduce"])
def test_factors(case: Case, kind: str) -> None:
    x, w, _, dy = spoken(case).operands()
    factors = getattr(kfac, f"{case.name}_factors")
    for bias in (False,) if case.transposed else (False, True):
        with_bias = {"bias": True} if bias else {}
        a, b = sides(case, x, dy)
        if bias:
            a = torch.cat([a, torch.ones_like(a[:, :, :1])], 2)
        L = a.shape[3] if kind == "expand" else a.shape[3] ** 2
        for max_bytes in (1, 10**7):
            A, G = factors(x, w.shape, dy, **case.options, kind=kind, **with_bias, max_bytes=max_bytes)
            close(A, moment(a, kind) / (N * L))
            close(G, moment(b, kind))


@every_case
def test_factors_of_one_sample(case: Case) -> None:
    x, w, _, dy = spoken(case).operands()
    factors = partial(getattr(kfac, f"{case.name}_factors"), **case.options)
    one, batch = factors(x[0], w.shape, dy[0]), factors(x[:1], w.shape, dy[:1])
    assert one.A.equal(batch.A)
    assert one.G.equal(batch.G)
